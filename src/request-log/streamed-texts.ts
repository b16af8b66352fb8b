import { isArray, objectOf } from '../codec/json-value.ts';

/** A text that came in pieces. */
export interface StreamedText {
  /** Where in its events: `choices[0].delta.content`. */
  readonly at: string;
  readonly text: string;
}

/** Keys under which streams of every form we know send a piece of text. */
const PIECES: ReadonlySet<string> = new Set([
  'content',
  'text',
  'arguments',
  'partial_json',
  'thinking',
  'reasoning',
  'reasoning_content',
  'delta',
  'refusal',
  'transcript',
  'name',
]);
/** Keys that tell one text from another at the same place. */
const PLACES = ['index', 'output_index', 'content_index', 'item_id'] as const;
const MAX_TEXTS = 256;
const MAX_DEPTH = 8;

/** Responses tell each text in pieces, and then several times whole: in the events that end it, its part, item and answer. */
const WHOLE_EVENT = /^response\.(?!.*\.delta$)/;

/**
 * The texts of an event stream, whatever its form, each put together in the order of its pieces. What such a form tells
 * whole is left out where it repeats a text that is there.
 */
export function streamedTexts(stream: string): StreamedText[] {
  const pieces = new Map<string, string>();
  const whole = new Map<string, string>();
  for (const line of stream.split(/\r\n|\n|\r/)) {
    if (!line.startsWith('data:')) continue;
    let event: unknown;
    try {
      event = JSON.parse(line.slice('data:'.length));
    } catch {
      // The end of a stream, or an event that was cut.
      continue;
    }
    const type = objectOf(event)?.['type'];
    const isWhole = typeof type === 'string' && WHOLE_EVENT.test(type);
    collect(event, '', isWhole ? whole : pieces, 0);
  }
  const known = new Set(pieces.values());
  for (const [at, text] of whole) {
    if (!known.has(text)) pieces.set(at, text);
    known.add(text);
  }
  return Array.from(pieces, ([at, text]) => ({ at, text }));
}

function collect(value: unknown, at: string, texts: Map<string, string>, depth: number): void {
  if (depth > MAX_DEPTH) return;
  if (isArray(value)) {
    for (const [index, each] of value.entries()) collect(each, `${at}[${placeOf(each) ?? index}]`, texts, depth + 1);
    return;
  }
  const object = objectOf(value);
  if (object === undefined) return;
  const place = depth === 0 ? placeOf(object) : undefined;
  const base = place === undefined ? at : `[${place}]`;
  for (const [key, each] of Object.entries(object)) {
    const path = base === '' ? key : `${base}.${key}`;
    if (typeof each !== 'string') collect(each, path, texts, depth + 1);
    else if (PIECES.has(key) && (texts.has(path) || texts.size < MAX_TEXTS))
      texts.set(path, (texts.get(path) ?? '') + each);
  }
}

function placeOf(value: unknown): string | undefined {
  const object = objectOf(value);
  if (object === undefined) return undefined;
  const places = PLACES.map((key) => object[key]).filter(
    (each) => typeof each === 'number' || typeof each === 'string',
  );
  return places.length === 0 ? undefined : places.join('.');
}
