import { isArray, isObject, parseObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { VectorEncoding, VectorForm } from '../answer-form.ts';

/** What stands before the first vector of an answer is shorter. */
const MAX_SEARCHED_BYTES = 4_096;
const FIRST_VECTOR = /"embedding"\s*:\s*(["[])/;
const FLOAT_BYTES = 4;

export const vectors: VectorForm = {
  written(beginning) {
    const found = FIRST_VECTOR.exec(beginning.toString('latin1', 0, MAX_SEARCHED_BYTES))?.[1];
    if (found === undefined) return undefined;
    return found === '[' ? 'float' : 'base64';
  },
  rewrite(answer, encoding) {
    const parsed = parseObject(answer.toString('utf8'));
    if (parsed === undefined || !isArray(parsed['data'])) {
      return new GatewayError('upstream_protocol', { detail: 'Its answer has no list of vectors.' });
    }
    const data: unknown[] = [];
    for (const entry of parsed['data']) {
      if (!isObject(entry)) {
        data.push(entry);
        continue;
      }
      const embedding = vectorAs(entry['embedding'], encoding);
      if (embedding instanceof GatewayError) return embedding;
      data.push({ ...entry, embedding });
    }
    return Buffer.from(JSON.stringify({ ...parsed, data }));
  },
};

/** A vector, numbers or base64, in the encoding that is asked for. */
export function vectorAs(vector: unknown, encoding: VectorEncoding): OrError<string | readonly number[]> {
  if (typeof vector === 'string') return encoding === 'base64' ? vector : numbersOf(vector);
  if (!isArray(vector) || !vector.every((each) => typeof each === 'number')) {
    return new GatewayError('upstream_protocol', { detail: 'One of its vectors is no list of numbers.' });
  }
  return encoding === 'float' ? vector : base64Of(vector);
}

function base64Of(numbers: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(numbers.length * FLOAT_BYTES);
  for (let at = 0; at < numbers.length; at += 1) bytes.writeFloatLE(numbers[at]!, at * FLOAT_BYTES);
  return bytes.toString('base64');
}

function numbersOf(base64: string): OrError<readonly number[]> {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length % FLOAT_BYTES !== 0) {
    return new GatewayError('upstream_protocol', { detail: 'One of its vectors is no base64 of 32-bit floats.' });
  }
  const numbers = new Array<number>(bytes.length / FLOAT_BYTES);
  for (let at = 0; at < numbers.length; at += 1) numbers[at] = bytes.readFloatLE(at * FLOAT_BYTES);
  return numbers;
}
