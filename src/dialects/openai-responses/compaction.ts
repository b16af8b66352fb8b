import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { InferenceRequest, Message, Part } from '../../inference/request.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext, Dialect, PeekedRequest } from '../dialect.ts';
import { errorBody, providerFailure } from '../openai-json/error-body.ts';
import { jsonAnswers } from '../openai-json/json-answers.ts';
import { answerText } from './answer-text.ts';
import { carriedSummary } from './carried-proofs.ts';
import { continued, references, turnItems, withItems } from './conversation.ts';
import { errorEvent } from './error-event.ts';
import { guarded } from './guarded.ts';
import { type PeekedResponses, ResponsesScan } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { responseUsage } from './response-object.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/**
 * A conversation made short: https://platform.openai.com/docs/api-reference/responses/compact. A provider that has no such
 * endpoint is asked for a summary, which its own item carries from then on.
 */
export const openAiCompaction = {
  name: 'openai-compaction',
  operation: 'compaction',
  routes: [{ method: 'POST', pattern: '/responses/compact' }],
  openapi: async () => (await import('./openapi.ts')).compacted,
  usageParameter: undefined,
  scan: () => new CompactionScan(),
  splice,
  answers: jsonAnswers(['service_tier']),
  promptText,
  answerText,
  translation: { to: ['chat', 'messages'], toInference: summaryRequest, repeated: userMessages, fromInference },
  conversation: { turnItems, continued, references, withItems, onlyReads: true },
  errorBody,
  errorEvent,
  guarded,
} satisfies Dialect;

class CompactionScan extends ResponsesScan {
  override result(body: Buffer): OrError<PeekedResponses> {
    const peeked = super.result(body);
    return peeked instanceof GatewayError ? peeked : { ...peeked, stream: false };
  }
}

const INSTRUCTIONS = `You make a conversation between a user and an assistant short, so that the assistant can go on with it
without having seen it. Write what it needs: the user's goals and wishes, decisions, facts, names, paths, code and results of
tools that still matter, what was done, and what is left to do. Leave out what is settled and needed no more. Answer with this
summary alone, in the language of the conversation.`;

/** The conversation as a text: with calls of tools in it, providers would ask for the tools as well. */
function summaryRequest(body: Buffer, model: string): OrError<InferenceRequest> {
  const request = toInference(body, model);
  if (request instanceof GatewayError) return request;
  if (request.messages.every(({ role }) => role === 'system')) {
    const detail = '`input` has no item, so there is nothing to make short.';
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  const transcript = request.messages.map(spoken).join('\n\n');
  const part = (text: string): Part[] => [{ type: 'text', text }];
  return {
    model: request.model,
    messages: [
      { role: 'system', parts: part(INSTRUCTIONS) },
      { role: 'user', parts: part(`The conversation:\n\n${transcript}`) },
    ],
    stream: false,
    includeUsage: true,
    extra: {},
  };
}

function spoken({ role, parts }: Message): string {
  return `[${role}]\n${parts.map(textOf).filter(Boolean).join('\n')}`;
}

function textOf(part: Part): string {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text;
    case 'tool-call':
      return `(calls ${part.name} with ${part.argumentsText})`;
    case 'tool-result':
      return `(result of a tool: ${part.parts.map(textOf).join('\n')})`;
    case 'image':
    case 'audio':
    case 'file':
      return `(${part.type})`;
    default:
      return '';
  }
}

/** They stay as they are beside the summary. */
function userMessages(body: Buffer, peeked: PeekedRequest): JsonObject {
  // The whole body was scanned: what is no JSON in it was refused, or is by `toInference`.
  const items = parsedItems(turnItems(body, peeked));
  return { input: items.filter((item) => isObject(item) && item['role'] === 'user') };
}

function parsedItems(text: string): readonly unknown[] {
  try {
    const items: unknown = JSON.parse(text);
    return isArray(items) ? items : [];
  } catch {
    // `toInference` says what is wrong.
    return [];
  }
}

function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  let summary = '';
  const usage: Usage = {};
  for (const event of events) {
    if (event.type === 'error') return providerFailure(event);
    if (event.type === 'text') summary += event.text;
    if (event.type === 'usage') mergeUsage(usage, event.usage);
  }
  if (summary === '') return new GatewayError('upstream_protocol', { detail: 'The model wrote no summary.' });
  const base = context.exchangeId.replaceAll('-', '');
  const users = context.repeats?.['input'];
  const messages = (isArray(users) ? users : []).filter(isObject).map((item, index) => message(item, base, index));
  const answer = {
    id: `resp_${base}`,
    object: 'response.compaction',
    created_at: context.created,
    output: [...messages, { id: `cmp_${base}`, type: 'compaction', encrypted_content: carriedSummary(summary) }],
    usage: responseUsage(usage),
  };
  return Buffer.from(JSON.stringify(answer));
}

function message(item: JsonObject, base: string, index: number): JsonObject {
  const { content } = item;
  const parts = typeof content === 'string' ? { content: [{ type: 'input_text', text: content }] } : {};
  return { id: `msg_${base}_${index}`, type: 'message', status: 'completed', ...item, ...parts };
}
