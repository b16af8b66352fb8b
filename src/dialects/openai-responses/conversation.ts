import { parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ContinuedRequest, PeekedRequest } from '../dialect.ts';
import { editedBody } from '../openai-json/edited-body.ts';
import type { PeekedResponses } from './peek.ts';
import { PREVIOUS, ResponsesScan } from './peek.ts';

const NULL = Buffer.from('null');

/** The items of this turn, as JSON of a list. */
export function turnItems(body: Buffer, { state }: PeekedRequest): string {
  const { start, end } = state?.input ?? NOWHERE;
  if (start < 0) return '[]';
  const text = body.toString('utf8', start, end);
  return text.startsWith('"') ? `[{"type":"message","role":"user","content":${text}}]` : text;
}

const NOWHERE = { start: -1, end: -1 };

/**
 * The request with the items before it in its own list, for whoever knows nothing of them. `passes`: to a provider of this
 * form, which takes neither ids nor reasoning that it did not make itself.
 */
export function continued(
  body: Buffer,
  peeked: PeekedResponses,
  items: string,
  passes: boolean,
): OrError<ContinuedRequest> {
  const { state, starts, ends } = peeked;
  const previousId = state?.previousId;
  const before = passes ? portable(items) : items;
  const turn = turnItems(body, peeked);
  if (!turn.startsWith('[')) return new GatewayError('invalid_parameter', { param: 'input' });
  const joined = [before.slice(1, -1), turn.slice(1, -1)].filter((part) => part.trim() !== '').join(',');
  const list = Buffer.from(`[${joined}]`);
  const { start, end } = state?.input ?? NOWHERE;
  const previous = { start: starts[PREVIOUS]!, end: ends[PREVIOUS]!, bytes: NULL };
  const edits =
    start < 0
      ? [{ ...previous, bytes: Buffer.from(`null,"input":${list.toString()}`) }]
      : [previous, { start, end, bytes: list }].sort((one, other) => one.start - other.start);
  const edited = editedBody(body, edits);
  const whole = Array.isArray(edited) ? Buffer.concat(edited) : edited;
  const scan = new ResponsesScan();
  scan.advance(whole, whole.length);
  const read = scan.result(whole);
  if (read instanceof GatewayError) return read;
  return {
    body: whole,
    peeked: { ...read, promptBytes: whole.length, state: read.state && { ...read.state, continuedFrom: previousId } },
  };
}

function portable(items: string): string {
  const list = parseExact(items);
  if (!isArray(list)) return '[]';
  return JSON.stringify(list.filter((item) => !isObject(item) || item['type'] !== 'reasoning').map(withoutId));
}

function withoutId(item: unknown): unknown {
  if (!isObject(item)) return item;
  const { id: _id, ...rest }: JsonObject = item;
  return rest;
}
