import { type JoinedHeaders, safeValue } from '../core/header-lines.ts';
import { joinHead } from './response-head.ts';

/** What does not fit is joined as text. */
const MAX_BYTES = 8_192;
/** A UTF-16 unit has at most so many bytes in UTF-8. */
const MAX_UNIT_BYTES = 3;
/** Longer texts are encoded by the platform. */
const MAX_LOOPED_CHARACTERS = 64;
/** What a line has besides name and value: its end, a colon and a blank. */
const FRAME_BYTES = 4;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const BLANK = 0x20;
const TILDE = 0x7e;

/** All heads of a thread are written here: each is the addon's before the next one is begun. */
const bytes = Buffer.allocUnsafeSlow(MAX_BYTES);
/** The lines that stand there, one behind the other. */
const names: string[] = [];
const values: string[] = [];
const starts: number[] = [];
const ends: number[] = [];
let lines = 0;

/**
 * The value of the first header and all further ones, as the addon sends them and safe to send; good until the next call.
 * Heads are alike from answer to answer: a line that is as in the latest one, and begins where it did, stands there
 * already. As text a head would be joined anew, flattened, measured and encoded (load: chat-whole).
 */
export function encodeHead(headers: readonly string[], joined: JoinedHeaders | undefined): Uint8Array | string {
  const end = written(headers, joined);
  if (end >= 0) return new Uint8Array(bytes.buffer, bytes.byteOffset, end);
  return joined === undefined ? joinHead(headers) : joinHead(headers) + joined.lines;
}

/** Where it ends; below 0: it does not fit. */
function written(headers: readonly string[], joined: JoinedHeaders | undefined): number {
  let at = 0;
  let line = 0;
  // Whatever is written lies in front of `at`: a line that begins there has not been touched yet.
  for (let i = 0; i < headers.length; i += 2, line += 1) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    const isNamed = line < lines && starts[line] === at && names[line] === name;
    if (!isNamed || values[line] !== value) {
      if (at + FRAME_BYTES + (name.length + value.length) * MAX_UNIT_BYTES > MAX_BYTES) return forgotten();
      const from = line === 0 ? at : isNamed ? at + FRAME_BYTES + name.length : writeName(name, at);
      note(line, at, name, value, writeText(value, from));
    }
    at = ends[line]!;
  }
  if (joined !== undefined) {
    if (line >= lines || starts[line] !== at || values[line] !== joined.lines || names[line] !== '') {
      if (at + joined.lines.length * MAX_UNIT_BYTES > MAX_BYTES) return forgotten();
      note(line, at, '', joined.lines, at + bytes.write(joined.lines, at));
    }
    at = ends[line]!;
    line += 1;
  }
  // What stood behind it may have been written over.
  lines = line;
  return at;
}

function note(line: number, start: number, name: string, value: string, end: number): void {
  names[line] = name;
  values[line] = value;
  starts[line] = start;
  ends[line] = end;
}

function forgotten(): number {
  lines = 0;
  return -1;
}

function writeName(name: string, start: number): number {
  bytes[start] = CR;
  bytes[start + 1] = LF;
  let at = start + 2;
  // Names are our own, or were found to be names.
  for (let i = 0; i < name.length; i += 1, at += 1) bytes[at] = name.charCodeAt(i);
  bytes[at] = COLON;
  bytes[at + 1] = BLANK;
  return at + 2;
}

function writeText(value: string, start: number): number {
  const { length } = value;
  if (length > MAX_LOOPED_CHARACTERS) return start + bytes.write(safeValue(value), start);
  for (let i = 0; i < length; i += 1) {
    const code = value.charCodeAt(i);
    if (code < BLANK || code > TILDE) return start + bytes.write(safeValue(value), start);
    bytes[start + i] = code;
  }
  return start + length;
}
