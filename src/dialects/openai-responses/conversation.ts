import { parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { Edit } from '../../codec/key-rules.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ContinuedRequest, ConversationState, PeekedRequest } from '../dialect.ts';
import { editedBody } from '../openai-json/edited-body.ts';
import { RequestReader } from '../openai-json/request-reader.ts';
import type { PeekedResponses } from './peek.ts';
import { BACKGROUND, CONVERSATION, INPUT, PREVIOUS, ResponsesScan, repeated, STREAM } from './peek.ts';
import { responseObject } from './response-object.ts';
import { addItem } from './to-messages.ts';

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
  const { state, starts } = peeked;
  const before = passes ? portable(items) : items;
  const turn = turnItems(body, peeked);
  if (!turn.startsWith('[')) {
    const detail = '`input` must be a text or a list of items.';
    return new GatewayError('invalid_parameter', { param: 'input', detail });
  }
  const joined = [before.slice(1, -1), turn.slice(1, -1)].filter((part) => part.trim() !== '').join(',');
  const list = `[${joined}]`;
  const link = state?.conversationId === undefined ? PREVIOUS : CONVERSATION;
  const isNamed = starts[INPUT]! >= 0;
  const edits = [
    edit(peeked, link, isNamed ? 'null' : `null,"input":${list}`),
    ...(isNamed ? [edit(peeked, INPUT, list)] : []),
  ];
  const continuedFrom = state?.previousId;
  const continuedIn = state?.conversationId;
  return edited(body, edits, { continuedFrom, continuedIn });
}

/** What only some providers can take is for them, but nobody can take a reference to what stands nowhere. */
export function itemsFault(items: readonly JsonObject[], place: string): GatewayError | undefined {
  for (const [index, item] of items.entries()) {
    const reader = new RequestReader();
    addItem(reader, item, `${place}[${index}]`, () => {});
    const { fault } = reader;
    if (fault && (fault.code !== 'unsupported_parameter' || item['type'] === 'item_reference')) return fault;
  }
  return undefined;
}

/** In the background the gateway waits for the events, whatever its client asked for. */
export function foreground(body: Buffer, peeked: PeekedResponses): OrError<ContinuedRequest> {
  const streams = peeked.starts[STREAM]! >= 0;
  const edits = [
    edit(peeked, BACKGROUND, streams ? 'false' : 'false,"stream":true'),
    ...(streams ? [edit(peeked, STREAM, 'true')] : []),
  ];
  const { continuedFrom, continuedIn } = peeked.state ?? {};
  return edited(body, edits, { continuedFrom, continuedIn });
}

export function queued(body: Buffer, peeked: PeekedResponses, id: string, createdAt: number): JsonObject {
  const state = { id, createdAt, model: peeked.model, status: 'queued', output: [], usage: null } as const;
  return responseObject(state, { repeats: { ...repeated(body, peeked), background: true } });
}

const REFERENCE = Buffer.from('"item_reference"');
/** Ids of items that we made name their answer: see ResponseWriter. */
const OWN_ITEM = /^[a-z]+_(ex_[a-z0-9]+)_\d+$/;

/** Only those of our own answers: what a provider made it finds by itself. */
export function references(body: Buffer, { state }: PeekedRequest): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const { start, end } = state?.input ?? NOWHERE;
  const at = body.indexOf(REFERENCE);
  if (start < 0 || at < 0 || at > end) return found;
  for (const item of itemsOf(body, start, end)) {
    const id = referenceOf(item);
    const [, base] = id === undefined ? [] : (OWN_ITEM.exec(id) ?? []);
    if (id !== undefined && base !== undefined) found.set(id, `resp_${base}`);
  }
  return found;
}

export function withItems(
  body: Buffer,
  peeked: PeekedResponses,
  items: ReadonlyMap<string, object>,
): OrError<ContinuedRequest> {
  const { start, end } = peeked.state?.input ?? NOWHERE;
  const resolved = itemsOf(body, start, end).map((item) => items.get(referenceOf(item) ?? '') ?? item);
  return edited(body, [edit(peeked, INPUT, JSON.stringify(resolved))], {});
}

function itemsOf(body: Buffer, start: number, end: number): readonly unknown[] {
  try {
    const list = parseExact(body.toString('utf8', start, end));
    return isArray(list) ? list : [];
  } catch {
    // The parser of the whole conversation says what is wrong.
    return [];
  }
}

/** The type of a reference may be left out. */
function referenceOf(item: unknown): string | undefined {
  if (!isObject(item) || item['role'] !== undefined) return undefined;
  return item['type'] === 'item_reference' ? stringOf(item['id']) : undefined;
}

function edit({ starts, ends }: PeekedResponses, key: number, text: string): Edit {
  return { start: starts[key]!, end: ends[key]!, bytes: Buffer.from(text) };
}

function edited(
  body: Buffer,
  edits: readonly Edit[],
  before: Pick<ConversationState, 'continuedFrom' | 'continuedIn'>,
): OrError<ContinuedRequest> {
  const ordered = edits.toSorted((one, other) => one.start - other.start);
  const made = editedBody(body, ordered);
  const whole = Array.isArray(made) ? Buffer.concat(made) : made;
  const scan = new ResponsesScan();
  scan.advance(whole, whole.length);
  const read = scan.result(whole);
  if (read instanceof GatewayError) return read;
  return {
    body: whole,
    peeked: { ...read, promptBytes: whole.length, state: read.state && { ...read.state, ...before } },
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
