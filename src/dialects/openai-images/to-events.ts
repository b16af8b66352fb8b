import { isArray, isObject, parseObject } from '../../codec/json-value.ts';
import { dataEvent } from '../../codec/sse-writer.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

/** An answer in one piece as the events of a stream: https://platform.openai.com/docs/api-reference/images-streaming */
export function imageEvents(answer: Buffer, type: string): OrError<Buffer> {
  const told = parseObject(answer.toString('utf8'));
  const images = told?.['data'];
  if (told === undefined || !isArray(images)) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no images.' });
  }
  const { data: _, created, ...rest } = told;
  return Buffer.concat(
    images.filter(isObject).map((image) => dataEvent(JSON.stringify({ type, created_at: created, ...rest, ...image }))),
  );
}
