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
  const { data: _, created, usage, ...rest } = told;
  const made = images.filter(isObject);
  return Buffer.concat(
    made.map((image, index) => {
      // It is that of all images: whoever adds up the events counts it once.
      const used = index === made.length - 1 && usage !== undefined ? { usage } : undefined;
      return dataEvent(JSON.stringify({ type, created_at: created, ...rest, ...image, ...used }));
    }),
  );
}
