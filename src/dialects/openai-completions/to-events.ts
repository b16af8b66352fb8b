import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { AnswerContext } from '../answer-form.ts';

/** A whole completion as its stream: the form of both is the same, but for the usage, which has an event of its own. */
export function toEvents(answer: Buffer, { includeUsage }: AnswerContext): OrError<Buffer> {
  const completion = parseExactObject(answer.toString('utf8'));
  if (completion === undefined || !isArray(completion['choices'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no choices.' });
  }
  const { usage, ...others } = completion;
  const events = [dataEvent(JSON.stringify(others))];
  if (includeUsage && isObject(usage)) events.push(dataEvent(JSON.stringify({ ...others, choices: [], usage })));
  events.push(dataEvent('[DONE]'));
  return Buffer.concat(events);
}
