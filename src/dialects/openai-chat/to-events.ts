import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { AnswerContext } from '../dialect.ts';

/**
 * A whole `chat.completion` as the chunks that its stream would have been: one with all that a choice says, one with its
 * finish reason, the usage where it was asked for. Whatever else the provider wrote stays where it stood, digit by digit.
 */
export function toEvents(answer: Buffer, { exchangeId, model, created, includeUsage }: AnswerContext): OrError<Buffer> {
  const completion = parseExactObject(answer.toString('utf8'));
  if (completion === undefined || !isArray(completion['choices'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no choices.' });
  }
  const { choices, usage, ...others } = completion;
  const base = { id: `chatcmpl-${exchangeId}`, created, model, ...others, object: 'chat.completion.chunk' };
  const noUsage = includeUsage ? { usage: null } : {};
  const events: Buffer[] = [];
  const push = (chunkChoices: readonly object[], more: object): void => {
    events.push(dataEvent(JSON.stringify({ ...base, choices: chunkChoices, ...more })));
  };
  for (const [place, choice] of choices.entries()) {
    if (!isObject(choice)) continue;
    const { message, finish_reason: reason, index = place, ...rest } = choice;
    push([{ ...rest, index, delta: isObject(message) ? deltaOf(message) : {}, finish_reason: null }], noUsage);
    push([{ index, delta: {}, finish_reason: reason ?? 'stop' }], noUsage);
  }
  if (includeUsage && isObject(usage)) push([], { usage });
  events.push(dataEvent('[DONE]'));
  return Buffer.concat(events);
}

/** In a stream each tool call has an index. */
function deltaOf(message: JsonObject): JsonObject {
  const calls = message['tool_calls'];
  if (!isArray(calls)) return message;
  return { ...message, tool_calls: calls.map((call, index) => (isObject(call) ? { ...call, index } : call)) };
}
