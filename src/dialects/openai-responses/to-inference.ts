import { mayChangeNumbers, parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest, Message } from '../../inference/request.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';
import { toMessages } from './to-messages.ts';
import { readTools, toToolChoice } from './to-tools.ts';

/** What has a neutral name, what the gateway itself does, and what changes nothing of an answer. */
const READ_KEYS: ReadonlySet<string> = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'top_k',
  'user',
  'reasoning',
  'text',
  'include',
  'top_logprobs',
  // Kept by the gateway, or resolved before.
  'store',
  'background',
  'conversation',
  'previous_response_id',
  // These are about tools that the provider runs, caches at OpenAI, and what its clients say of themselves.
  'max_tool_calls',
  'prompt_cache_options',
  'client_metadata',
]);

/** The whole request, for a provider of another form. https://platform.openai.com/docs/api-reference/responses/create */
export function toInference(body: Buffer, model: string): OrError<InferenceRequest> {
  const value = parsedRequest(body);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  const request = readRequest(reader, withExactSchemas(value, body), model);
  return reader.fault ?? request;
}

/** Schemas are written again for the provider, so their numbers stay digit for digit. */
function withExactSchemas(value: JsonObject, body: Buffer): JsonObject {
  if (value['tools'] === undefined && value['text'] === undefined) return value;
  const text = body.toString('utf8');
  if (!mayChangeNumbers(text)) return value;
  const exact = parseExactObject(text);
  return { ...value, tools: exact?.['tools'], text: exact?.['text'] };
}

function readRequest(reader: RequestReader, body: JsonObject, model: string): InferenceRequest {
  refuseUnknowable(reader, body);
  const { tools, nativeTools } = readTools(reader, body['tools']);
  const chosen = toToolChoice(reader, body['tool_choice'], tools);
  const text = reader.object(body['text'], 'text');
  const extra = others(body, READ_KEYS);
  const verbosity = reader.text(text?.['verbosity'], 'text.verbosity');
  if (verbosity !== undefined) extra['verbosity'] = verbosity;
  if (truncates(reader, extra)) delete extra['truncation'];
  if (asksLogprobs(body)) {
    extra['logprobs'] = true;
    extra['top_logprobs'] = reader.wholeNumber(body['top_logprobs'], 'top_logprobs') ?? 0;
  }
  return {
    model,
    messages: conversation(reader, body),
    stream: reader.flag(body['stream'], 'stream') ?? false,
    includeUsage: true,
    tools: chosen.tools.length > 0 ? chosen.tools : undefined,
    nativeTools: nativeTools.length > 0 ? nativeTools : undefined,
    toolChoice: chosen.choice,
    parallelToolCalls: reader.flag(body['parallel_tool_calls'], 'parallel_tool_calls'),
    maxOutputTokens: reader.wholeNumber(body['max_output_tokens'], 'max_output_tokens'),
    temperature: reader.number(body['temperature'], 'temperature'),
    topP: reader.number(body['top_p'], 'top_p'),
    topK: reader.wholeNumber(body['top_k'], 'top_k'),
    user: reader.text(body['user'], 'user'),
    reasoning: toReasoning(reader, body['reasoning']),
    responseFormat: toResponseFormat(reader, text?.['format']),
    extra,
  };
}

/** What only OpenAI holds: without it the answer would be another one. */
function refuseUnknowable(reader: RequestReader, body: JsonObject): void {
  if (body['background'] === true) {
    reader.unsupported('background', 'In the background only providers of this form answer.');
  }
  for (const key of ['previous_response_id', 'conversation'] as const) {
    if (body[key] === undefined || body[key] === null) continue;
    reader.unsupported(key, `No answer is kept for \`${key}\`: send the items of the conversation.`);
  }
  for (const key of ['prompt', 'context_management'] as const) {
    const value = body[key];
    if (value === undefined || value === null || (isArray(value) && value.length === 0)) continue;
    reader.unsupported(key, `\`${key}\` is known to OpenAI alone, and the model that is asked is none of it.`);
  }
}

/** Both words are harmless: a conversation that is too long is refused by its provider. */
function truncates(reader: RequestReader, extra: Readonly<Record<string, unknown>>): boolean {
  const word = reader.text(extra['truncation'], 'truncation');
  if (word !== undefined && word !== 'auto' && word !== 'disabled')
    reader.invalid('truncation', 'auto or disabled', word);
  return word !== undefined;
}

function asksLogprobs({ include, top_logprobs: top }: JsonObject): boolean {
  return (isArray(include) && include.includes('message.output_text.logprobs')) || (typeof top === 'number' && top > 0);
}

function conversation(reader: RequestReader, body: JsonObject): Message[] {
  const messages: Message[] = [];
  const { instructions, input } = body;
  if (typeof instructions === 'string') {
    messages.push({ role: 'system', parts: [{ type: 'text', text: instructions }] });
  } else if (isArray(instructions)) {
    for (const each of toMessages(reader, instructions, 'instructions')) messages.push(each);
  } else if (instructions !== undefined && instructions !== null) {
    reader.invalid('instructions', 'a string or a list of items', instructions);
  }
  if (input === undefined || input === null) reader.missing('input');
  else for (const each of toMessages(reader, input, 'input')) messages.push(each);
  return messages;
}

function toReasoning(reader: RequestReader, value: unknown): InferenceRequest['reasoning'] {
  const reasoning = reader.object(value, 'reasoning');
  if (reasoning === undefined) return undefined;
  const effort = reader.text(reasoning['effort'], 'reasoning.effort');
  // A summary is asked of what is thought anyway.
  return effort === undefined ? undefined : { effort };
}

function toResponseFormat(reader: RequestReader, value: unknown): InferenceRequest['responseFormat'] {
  const format = reader.object(value, 'text.format');
  if (format === undefined) return undefined;
  const type = reader.requiredText(format['type'], 'text.format.type');
  if (type === 'text') return { type: 'text' };
  if (type === 'json_object') return { type: 'json' };
  if (type === 'json_schema') {
    const schema = format['schema'];
    return {
      type: 'json-schema',
      name: reader.requiredText(format['name'], 'text.format.name'),
      schema: isObject(schema) ? schema : (reader.object(schema, 'text.format.schema') ?? {}),
      strict: reader.flag(format['strict'], 'text.format.strict'),
    };
  }
  reader.invalid('text.format.type', 'text, json_object or json_schema', type);
  return undefined;
}
