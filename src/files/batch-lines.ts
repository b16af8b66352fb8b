import { JsonPeek } from '../codec/json-peek.ts';
import { PeekKeys } from '../codec/peek-keys.ts';

/** What a batch may have: OpenAI's own bound. https://platform.openai.com/docs/api-reference/batch/create */
const MAX_BATCH_LINES = 50_000;
const MAX_CUSTOM_ID_CHARACTERS = 512;
/** So many faults are told; behind them nothing is looked at any more. */
const MAX_FAULTS = 10;
const LINE_FEED = 0x0a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const TILDE = 0x7e;
const WHOLE = { fault: undefined };
const POST = Buffer.from('"POST"');
const KEYS = new PeekKeys(['custom_id', 'method', 'url', 'body']);
/** Its place among them. */
const BODY = 3;
const BODY_MARK = Buffer.from('"body":');

export interface LineFault {
  /** From 1. */
  readonly line: number;
  readonly detail: string;
}

export interface LineBounds {
  readonly maxLineBytes: number;
  /** Whether so many bytes of a line may be kept now: they count in the memory that all bodies share. */
  mayHold(bytes: number): boolean;
}

/**
 * The file of a batch, looked at line by line while it arrives: `{"custom_id": …, "method": "POST", "url": "/v1/…", "body":
 * {…}}`. What it needs of a line that comes in pieces is kept until its end. Nothing but JSON is kept for long: a file of
 * another kind has its ten faults soon.
 */
export class BatchLines {
  readonly faults: LineFault[] = [];
  /** There was no memory for a line: what is told of the file is no verdict. */
  noRoom = false;
  /** Lines that are not empty. */
  lines = 0;
  readonly #bounds: LineBounds;
  readonly #ids = new Set<string>();
  #number = 1;
  /** The pieces of the line that is not whole yet. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The present line has its fault already. */
  #skips = false;

  constructor(bounds: LineBounds) {
    this.#bounds = bounds;
  }

  /** Nothing is looked at any more. */
  get over(): boolean {
    return this.noRoom || this.faults.length >= MAX_FAULTS;
  }

  /** The bytes may be changed afterwards. */
  take(bytes: Buffer): void {
    let from = 0;
    while (from < bytes.length && !this.over) {
      const end = bytes.indexOf(LINE_FEED, from);
      this.#add(bytes.subarray(from, end < 0 ? bytes.length : end));
      if (end < 0) break;
      this.#endLine();
      from = end + 1;
    }
    const last = this.#pieces.length - 1;
    if (last >= 0) this.#pieces[last] = Buffer.from(this.#pieces[last]!);
  }

  finish(): void {
    if (this.over) return;
    if (this.#bytes > 0 || this.#skips) this.#endLine();
    if (this.lines === 0 && this.faults.length === 0) this.#fault('there is no line');
  }

  #add(piece: Buffer): void {
    if (this.#skips || piece.length === 0) return;
    if (this.#bytes === 0 && firstOf(piece) !== OPEN_BRACE && !isBlank(piece)) {
      this.#skip('it is no JSON object');
      return;
    }
    const { maxLineBytes } = this.#bounds;
    if (this.#bytes + piece.length > maxLineBytes) {
      this.#skip(`it is longer than limits.max_body_bytes: ${maxLineBytes}`);
      return;
    }
    if (!this.#bounds.mayHold(this.#bytes + piece.length)) {
      this.noRoom = true;
      this.#forget();
      return;
    }
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  #endLine(): void {
    if (!this.#skips && this.#bytes > 0) {
      const line = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
      if (!isBlank(line)) {
        this.lines += 1;
        const detail =
          this.lines > MAX_BATCH_LINES ? `there are more than ${MAX_BATCH_LINES} lines` : this.#check(line);
        if (detail !== undefined) this.#fault(detail);
      }
    }
    this.#forget();
    this.#skips = false;
    this.#number += 1;
  }

  #check(line: Buffer): string | undefined {
    const read = readBatchLine(line);
    if (typeof read === 'string') return read;
    const { customId } = read;
    if (this.#ids.has(customId)) return `\`custom_id\` ${JSON.stringify(customId)} stands in an earlier line, too`;
    this.#ids.add(customId);
    return undefined;
  }

  #skip(detail: string): void {
    this.#fault(detail);
    this.#forget();
    this.#skips = true;
  }

  #fault(detail: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push({ line: this.#number, detail });
  }

  #forget(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }
}

/** One line of a batch; its body is the bytes as they were written. */
export interface BatchLine {
  readonly customId: string;
  readonly url: string;
  readonly body: Buffer;
}

/**
 * A line whose `body` comes last, as clients write it, without a look into the body, which whoever reads it looks at anyway.
 * It holds only if that finds one object and nothing behind it. Undefined: it is another line.
 */
export function usualBatchLine(line: Buffer): BatchLine | undefined {
  const mark = line.indexOf(BODY_MARK);
  if (mark < 0) return undefined;
  let start = mark + BODY_MARK.length;
  while (start < line.length && isSpace(line[start]!)) start += 1;
  const peek = new JsonPeek(KEYS);
  // Else the mark stands within another value.
  if (line[start] !== OPEN_BRACE || !peek.advance(line, start + 1) || peek.starts[BODY] !== start) return undefined;
  const end = lastOf(line, line.length);
  const bodyEnd = lastOf(line, end);
  if (line[end] !== CLOSE_BRACE || line[bodyEnd] !== CLOSE_BRACE || bodyEnd <= start) return undefined;
  const read = judged(line, peek, line.subarray(start, bodyEnd + 1));
  return typeof read === 'string' ? undefined : read;
}

/** Index of the last byte before `end` that is no space; -1: there is none. */
function lastOf(bytes: Buffer, end: number): number {
  let at = end - 1;
  while (at >= 0 && isSpace(bytes[at]!)) at -= 1;
  return at;
}

/** A text: what is wrong with the line. */
export function readBatchLine(line: Buffer): BatchLine | string {
  const peek = new JsonPeek(KEYS);
  const { fault } = peek.advance(line, line.length) && peek.finish() ? WHOLE : peek;
  if (fault) {
    if ('key' in fault) return `\`${fault.key}\` is repeated, or written with escapes or in other letter case`;
    if (fault.kind === 'depth') return 'it is nested too deeply';
    return fault.at >= line.length ? 'it breaks off' : `at byte ${fault.at + 1} ${fault.expected} is expected`;
  }
  return judged(line, peek, slotOf(line, peek, BODY));
}

function judged(line: Buffer, peek: JsonPeek, body: Buffer | undefined): BatchLine | string {
  const [id, method, url] = [slotOf(line, peek, 0), slotOf(line, peek, 1), slotOf(line, peek, 2)];
  const customId = textOf(id);
  if (customId === undefined || customId === '' || customId.length > MAX_CUSTOM_ID_CHARACTERS) {
    return `\`custom_id\` has to be a text of 1 to ${MAX_CUSTOM_ID_CHARACTERS} characters`;
  }
  if (!method?.equals(POST) && textOf(method) !== 'POST') return '`method` has to be "POST"';
  const path = textOf(url);
  if (!path?.startsWith('/')) return '`url` has to be the path of an endpoint, as "/v1/chat/completions"';
  if (body?.[0] !== OPEN_BRACE) return '`body` has to be an object';
  return { customId, url: path, body };
}

function slotOf(line: Buffer, peek: JsonPeek, index: number): Buffer | undefined {
  const start = peek.starts[index]!;
  return start < 0 ? undefined : line.subarray(start, peek.ends[index]!);
}

/** Undefined: it is no text, or none that is valid. */
function textOf(json: Buffer | undefined): string | undefined {
  if (json === undefined || json.length > 6 * MAX_CUSTOM_ID_CHARACTERS + 2) return undefined;
  if (isPlain(json)) return json.toString('latin1', 1, json.length - 1);
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'string' ? value : undefined;
  } catch {
    // An escape or a control character that the scan lets pass.
    return undefined;
  }
}

/** A text of ASCII without escapes, as nearly every one is: its characters are its bytes. */
function isPlain(json: Buffer): boolean {
  const last = json.length - 1;
  if (last < 1 || json[0] !== QUOTE || json[last] !== QUOTE) return false;
  for (let at = 1; at < last; at += 1) {
    const byte = json[at]!;
    if (byte < SPACE || byte > TILDE || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

function firstOf(bytes: Buffer): number | undefined {
  for (const byte of bytes) if (!isSpace(byte)) return byte;
  return undefined;
}

export function isBlank(bytes: Buffer): boolean {
  return firstOf(bytes) === undefined;
}

/** RFC 8259 §2 */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === LINE_FEED;
}
