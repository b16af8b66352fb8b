import type { JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';

const READ_KEYS: ReadonlySet<string> = new Set([
  'model',
  'prompt',
  'stream',
  'stream_options',
  'max_tokens',
  'temperature',
  'top_p',
  'stop',
  'user',
  'echo',
  'best_of',
  'suffix',
  'logprobs',
]);
/** What no chat can do, with the values that ask for nothing. */
const REFUSED: ReadonlyMap<string, readonly unknown[]> = new Map<string, readonly unknown[]>([
  ['echo', [false]],
  ['best_of', [1]],
  ['suffix', ['']],
  ['logprobs', [0]],
]);

/** One prompt as the one message of a chat. https://platform.openai.com/docs/api-reference/completions/create */
export function toInference(body: Buffer, model: string): OrError<InferenceRequest> {
  const value = parsedRequest(body);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  for (const [key, harmless] of REFUSED) {
    const asked = value[key];
    if (asked !== undefined && asked !== null && !harmless.includes(asked))
      reader.unsupported(key, `This model is asked by a chat, which has nothing for \`${key}\`.`);
  }
  const request = readRequest(reader, value, model);
  return reader.fault ?? request;
}

function readRequest(reader: RequestReader, value: JsonObject, model: string): InferenceRequest {
  const streamOptions = reader.object(value['stream_options'], 'stream_options');
  const { stop } = value;
  return {
    model,
    messages: [{ role: 'user', parts: [{ type: 'text', text: promptOf(reader, value['prompt']) }] }],
    stream: reader.flag(value['stream'], 'stream') ?? false,
    includeUsage: reader.flag(streamOptions?.['include_usage'], 'stream_options.include_usage') ?? false,
    maxOutputTokens: reader.wholeNumber(value['max_tokens'], 'max_tokens'),
    temperature: reader.number(value['temperature'], 'temperature'),
    topP: reader.number(value['top_p'], 'top_p'),
    stop:
      typeof stop === 'string'
        ? [stop]
        : stop === undefined || stop === null
          ? undefined
          : reader.list(stop, 'stop').map((text, index) => reader.requiredText(text, `stop[${index}]`)),
    user: reader.text(value['user'], 'user'),
    extra: others(value, READ_KEYS),
  };
}

/** Some clients put their one prompt into a list. */
function promptOf(reader: RequestReader, prompt: unknown): string {
  const [first, ...more] = Array.isArray(prompt) ? prompt : [prompt];
  if (typeof first === 'string' && first !== '' && more.length === 0) return first;
  reader.unsupported('prompt', 'This model is asked by a chat, which takes one prompt, as text.');
  return '';
}
