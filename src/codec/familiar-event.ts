const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const ZERO = 0x30;
const TEN = 10;
const LF = 0x0a;
const CR = 0x0d;
/** So much is compared at the beginning and at the end of what is around a text; between them only its length. */
const FIRST_BYTES = 16;
const LAST_BYTES = 48;
const WIDE_BYTES = 8;

/**
 * The stream of a provider is hundreds of events that differ in little: each is recognised by its bytes, for a tenth of
 * what parsing it would cost (bench: stream-passthrough).
 */
export interface Familiar {
  /** Offset behind the event that begins at `at`, where it is a familiar one; else -1. */
  match(bytes: Buffer, at: number): number;
}

/** Offsets in an event of what may differ. `text`: of a JSON string, not empty. `padding`: of one that says nothing. */
export interface Gap {
  readonly kind: keyof typeof KINDS;
  readonly start: number;
  readonly end: number;
}

const TEXT = 0;
const PADDING = 1;
const NUMBER = 2;
const KINDS = { text: TEXT, padding: PADDING, number: NUMBER } as const;

/**
 * Events that differ from one that was parsed in nothing but their text, number and padding, three gaps at the most.
 *
 * The bytes around the gaps must have the same length, beginning and end. An event that says something else beside such a
 * text, in exactly as many bytes, would be made to deceive.
 */
export class FamiliarEvent implements Familiar {
  readonly #kinds: readonly number[];
  /** The bytes in front of each gap, and behind the last one: their length, and where what is compared of them ends below. */
  readonly #lengths: number[] = [];
  readonly #wideEnds: number[] = [];
  readonly #narrowEnds: number[] = [];
  /** Eight bytes at a time, as numbers: three times as fast as byte by byte. Offsets begin behind the gap before. */
  readonly #wideOffsets: Int32Array;
  readonly #wide: Float64Array;
  /** Where fewer than eight bytes stand between gaps: each of them. */
  readonly #narrowOffsets: Int32Array;
  readonly #narrow: Uint8Array;

  /** The event in bytes[start, end); the gaps are offsets within the event, in order. Nothing of their texts is kept. */
  constructor(bytes: Buffer, start: number, end: number, gaps: readonly Gap[]) {
    this.#kinds = gaps.map(({ kind }) => KINDS[kind]);
    const wide: Compared = { offsets: [], values: [] };
    const narrow: Compared = { offsets: [], values: [] };
    let from = start;
    for (let index = 0; index <= gaps.length; index += 1) {
      const gap = gaps[index];
      const to = gap === undefined ? end : start + gap.start;
      collect(bytes, from, to, wide, narrow);
      this.#lengths.push(to - from);
      this.#wideEnds.push(wide.values.length);
      this.#narrowEnds.push(narrow.values.length);
      if (gap !== undefined) from = start + gap.end;
    }
    this.#wideOffsets = Int32Array.from(wide.offsets);
    this.#wide = Float64Array.from(wide.values);
    this.#narrowOffsets = Int32Array.from(narrow.offsets);
    this.#narrow = Uint8Array.from(narrow.values);
  }

  /** One that matches the same events as one that were made of these. */
  static of(bytes: Buffer, start: number, end: number, gaps: readonly Gap[]): FamiliarEvent {
    for (const known of recent) if (known?.isSameAs(bytes, start, end, gaps)) return known;
    const made = new FamiliarEvent(bytes, start, end, gaps);
    if (end - start > MAX_SHARED_BYTES) return made;
    recent[oldest] = made;
    oldest = (oldest + 1) % MAX_SHARED;
    return made;
  }

  /** Whether the gaps are the same, and all that is compared around them. */
  isSameAs(bytes: Buffer, start: number, end: number, gaps: readonly Gap[]): boolean {
    const kinds = this.#kinds;
    if (kinds.length !== gaps.length) return false;
    let from = 0;
    for (let index = 0; index < kinds.length; index += 1) {
      const gap = gaps[index]!;
      if (KINDS[gap.kind] !== kinds[index] || gap.start - from !== this.#lengths[index]) return false;
      from = gap.end;
    }
    return this.match(bytes, start) === end;
  }

  match(bytes: Buffer, at: number): number {
    const view = viewOf(bytes);
    const offset = bytes.byteOffset;
    const { length } = bytes;
    const kinds = this.#kinds;
    const lengths = this.#lengths;
    const wideOffsets = this.#wideOffsets;
    const values = this.#wide;
    const narrowOffsets = this.#narrowOffsets;
    const narrowValues = this.#narrow;
    const last = kinds.length;
    let place = at;
    let wide = 0;
    let narrow = 0;
    for (let index = 0; ; index += 1) {
      const start = place + lengths[index]!;
      if (start > length) return -1;
      const base = offset + place;
      for (const end = this.#wideEnds[index]!; wide < end; wide += 1) {
        if (view.getFloat64(base + wideOffsets[wide]!, true) !== values[wide]!) return -1;
      }
      for (const end = this.#narrowEnds[index]!; narrow < end; narrow += 1) {
        if (view.getUint8(base + narrowOffsets[narrow]!) !== narrowValues[narrow]!) return -1;
      }
      if (index === last) return start;
      const kind = kinds[index]!;
      place = kind === NUMBER ? digitsEnd(view, offset, start, length) : closingQuote(bytes, start);
      if (place < start || (place === start && kind !== PADDING)) return -1;
    }
  }
}

interface Compared {
  readonly offsets: number[];
  readonly values: number[];
}

/** Adds what is compared of the bytes [from, to). */
function collect(bytes: Buffer, from: number, to: number, wide: Compared, narrow: Compared): void {
  if (to - from < WIDE_BYTES) {
    for (let at = from; at < to; at += 1) {
      narrow.offsets.push(at - from);
      narrow.values.push(bytes[at]!);
    }
    return;
  }
  const add = (start: number, end: number): void => {
    for (let at = start; at < end; at += WIDE_BYTES) {
      // The last eight overlap those before, where they are not a multiple.
      const place = Math.min(at, end - WIDE_BYTES);
      wide.offsets.push(place - from);
      wide.values.push(bytes.readDoubleLE(place));
    }
  };
  if (to - from <= FIRST_BYTES + LAST_BYTES) add(from, to);
  else {
    add(from, from + FIRST_BYTES);
    add(to - LAST_BYTES, to);
  }
}

/**
 * The latest of this thread. Streams of one model differ in their id alone, whose bytes are not compared: a thousand of them
 * share one, which for each would be half a kilobyte and a copy.
 */
const MAX_SHARED = 8;
const MAX_SHARED_BYTES = 4_096;
const recent: (FamiliarEvent | undefined)[] = new Array(MAX_SHARED).fill(undefined);
let oldest = 0;

/** What names the kind of an event at its very beginning: its `event` field, or a `type` that is the first key. */
const KIND = /^(?:event: ?([\w.]+)\r?\ndata: ?\{|data: ?\{"type": ?"([\w.]+)")/;
/** A longer name is none that is known. */
const MAX_KIND_BYTES = 192;

/**
 * Events of one line of data whose first bytes name the kind of one that was parsed. Where a form names its events there,
 * nothing else need be looked at, and what else of them differs does not matter.
 */
export class FamiliarBeginning implements Familiar {
  readonly #known: DataView;

  private constructor(known: DataView) {
    this.#known = known;
  }

  /** Undefined: the event in bytes[start, end) does not begin with the name of this kind. */
  static of(kind: string, bytes: Buffer, start: number, end: number): FamiliarBeginning | undefined {
    const found = KIND.exec(bytes.toString('latin1', start, Math.min(end, start + MAX_KIND_BYTES)));
    if (found === null || (found[1] ?? found[2]) !== kind) return undefined;
    return new FamiliarBeginning(copyOf(bytes, start, start + found[0].length));
  }

  match(bytes: Buffer, at: number): number {
    const known = this.#known;
    const from = at + known.byteLength;
    if (from > bytes.length || !isSame(known, 0, known.byteLength, viewOf(bytes), bytes.byteOffset + at)) return -1;
    const lineEnd = bytes.indexOf(LF, from);
    if (lineEnd < 0) return -1;
    const next = bytes[lineEnd + 1];
    if (next === LF) return lineEnd + 2;
    return next === CR && bytes[lineEnd + 2] === LF ? lineEnd + 3 : -1;
  }
}

/**
 * Where the values stand that events of this kind differ in, in the order in which they stand; undefined where that is
 * not certain. `values`: by their keys, strings for texts and paddings.
 */
export function gapsOf(
  event: Buffer,
  values: readonly (readonly [kind: Gap['kind'], key: string, value: unknown])[],
): readonly Gap[] | undefined {
  const found: Gap[] = [];
  for (const [kind, key, value] of values) {
    const gap = gapOf(event, kind, key, value);
    if (gap === undefined) return undefined;
    found.push(gap);
  }
  return found.sort((one, other) => one.start - other.start);
}

/** Where `"key":value` stands, if it stands there once. */
function gapOf(event: Buffer, kind: Gap['kind'], key: string, value: unknown): Gap | undefined {
  const written = JSON.stringify(value);
  if (kind === 'number' && !/^\d+$/.test(written)) return undefined;
  const quote = kind === 'number' ? 0 : 1;
  for (const colon of [':', ': ']) {
    const token = Buffer.from(`"${key}"${colon}${written}`);
    const at = event.indexOf(token);
    if (at < 0) continue;
    const end = at + token.length - quote;
    if (event.indexOf(token, at + 1) >= 0) return undefined;
    return { kind, start: end + 2 * quote - Buffer.byteLength(written), end };
  }
  return undefined;
}

/** Offset of the quote that ends the string whose text begins at `from`; -1: nothing does. */
export function closingQuote(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
    else if (byte < SPACE) return -1;
  }
  return -1;
}

function digitsEnd(view: DataView, offset: number, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const digit = view.getUint8(offset + at) - ZERO;
    if (digit < 0 || digit >= TEN) break;
    at += 1;
  }
  return at;
}

/** Whether `view` has behind a shift what `known` has in [from, to): all of it, eight bytes at a time, as numbers. */
export function isSame(known: DataView, from: number, to: number, view: DataView, shift: number): boolean {
  let i = from;
  for (; i + 8 <= to; i += 8) if (view.getFloat64(i + shift, true) !== known.getFloat64(i, true)) return false;
  // The last eight once more, where they are not a multiple.
  if (i < to && to - from >= 8) return view.getFloat64(to - 8 + shift, true) === known.getFloat64(to - 8, true);
  for (; i < to; i += 1) if (view.getUint8(i + shift) !== known.getUint8(i)) return false;
  return true;
}

function copyOf({ buffer, byteOffset }: Buffer, start: number, end: number): DataView {
  return new DataView(buffer.slice(byteOffset + start, byteOffset + end));
}

let lastBuffer: ArrayBufferLike | undefined;
let lastView: DataView = new DataView(new ArrayBuffer(0));

/** Small reads share the memory they are in, so one view serves many of them. */
export function viewOf({ buffer }: Buffer): DataView {
  if (buffer !== lastBuffer) {
    lastBuffer = buffer;
    lastView = new DataView(buffer);
  }
  return lastView;
}
