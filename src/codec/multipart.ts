/*
 * A multipart form (RFC 7578) read as its bytes arrive, without being parsed or copied: only where the values of a few
 * parts stand. Readers of such forms differ in what they forgive, so whatever two of them could read in two ways is a
 * fault.
 */

/** A form of ours has a dozen parts; sixteen images may be edited at once. */
export const MAX_PARTS = 128;
/** A name of a file is as long as its file system allows, and may be written in escapes. */
export const MAX_PART_HEAD_BYTES = 8_192;
/** RFC 2046 §5.1.1 */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const PARAMETER = /[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"]*)"|([!#$%&'*+.^_`|~0-9A-Za-z/-]+))/y;
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const DASH = 0x2d;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

export type FormFault =
  | { readonly kind: 'syntax'; readonly at: number; readonly detail: string }
  /** These faults concern a part that the caller looks for by name. */
  | { readonly kind: 'repeated' | 'case' | 'file' | 'encoded'; readonly name: string };

/** Where the value of a part stands: body[start, end). */
export interface FormPart {
  readonly start: number;
  readonly end: number;
}

/** Any part. */
export interface FormEntry extends PartHead, FormPart {}

/** The boundary of a content type; undefined: it is no multipart form, or its boundary is not valid. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  const type = /^[ \t]*multipart\/form-data(?=[ \t;])/i.exec(contentType ?? '')?.[0];
  if (type === undefined) return undefined;
  const parameters = parametersOf(contentType!.slice(type.length));
  const boundary = parameters?.get('boundary');
  if (boundary === undefined || !BOUNDARY.test(boundary) || !isAsciiIn(parameters?.get('charset'))) return undefined;
  return boundary;
}

/** Charsets that write ASCII as ASCII. In any other charset we would read another text than whoever decodes it. */
const CHARSET = /^(?:utf-?8|(?:us-)?ascii|iso-8859-\d{1,2}|latin-?1|windows-125\d)$/i;

function isAsciiIn(charset: string | undefined): boolean {
  return charset === undefined || CHARSET.test(charset.trim());
}

/** Whether somebody means a multipart form, however well. */
export function meansForm(contentType: string | undefined): boolean {
  return /^[ \t]*multipart\//i.test(contentType ?? '');
}

type State = 'begin' | 'boundary' | 'head' | 'value' | 'end';

export class MultipartScan {
  /** Parts that are looked for, by their names. */
  readonly parts = new Map<string, FormPart>();
  /** All parts, in order. */
  readonly entries: FormEntry[] = [];
  fault: FormFault | undefined;
  /** Bytes of all values that are no files. */
  textBytes = 0;
  readonly #wanted: ReadonlySet<string>;
  readonly #first: Buffer;
  #state: State = 'begin';
  #at = 0;
  #count = 0;
  /** Where the head or the value of the current part begins. */
  #from = 0;
  #part: PartHead = NO_PART;

  constructor(boundary: string, wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
    this.#first = Buffer.from(`--${boundary}`, 'latin1');
  }

  /** buffer[0, end) has arrived; the buffer may be another one each time. */
  advance(buffer: Buffer, end: number): void {
    const bytes = buffer.length === end ? buffer : buffer.subarray(0, end);
    while (this.fault === undefined && this.#step(bytes));
  }

  /** After the last byte: what is wrong with the form; undefined: nothing. */
  finish(length: number): FormFault | undefined {
    if (this.fault === undefined && this.#state !== 'end') {
      const detail = this.#count === 0 ? 'no part begins' : 'it breaks off: the boundary that ends the form is missing';
      this.#fail(length, detail);
    }
    return this.fault;
  }

  /** False: more bytes are needed. */
  #step(bytes: Buffer): boolean {
    switch (this.#state) {
      case 'begin':
        return this.#begin(bytes);
      case 'boundary':
        return this.#behindBoundary(bytes);
      case 'head':
        return this.#head(bytes);
      case 'value':
        return this.#value(bytes);
      case 'end':
        return this.#epilogue(bytes);
    }
  }

  #begin(bytes: Buffer): boolean {
    // Some begin with the line end that stands before every other boundary.
    const from = bytes[0] === CR ? CRLF.length : 0;
    const end = from + this.#first.length;
    if (bytes.length < end) return false;
    if (bytes.compare(this.#first, 0, this.#first.length, from, end) !== 0 || (from > 0 && bytes[1] !== LF)) {
      return this.#fail(0, 'it does not begin with the boundary of its content-type');
    }
    this.#at = end;
    this.#state = 'boundary';
    return true;
  }

  #behindBoundary(bytes: Buffer): boolean {
    const at = this.#at;
    if (bytes.length < at + 2) return false;
    if (bytes[at] === DASH && bytes[at + 1] === DASH) this.#state = 'end';
    else if (bytes[at] === CR && bytes[at + 1] === LF) {
      this.#count += 1;
      if (this.#count > MAX_PARTS) return this.#fail(at, `it has more than ${MAX_PARTS} parts`);
      this.#from = at + 2;
      this.#state = 'head';
    } else return this.#fail(at, 'behind a boundary a line end is expected');
    this.#at = at + 2;
    return true;
  }

  #head(bytes: Buffer): boolean {
    const end = bytes.indexOf(HEAD_END, this.#at);
    const length = (end < 0 ? bytes.length : end) - this.#from;
    if (length > MAX_PART_HEAD_BYTES) {
      return this.#fail(this.#from, `the headers of part ${this.#count} are longer than ${MAX_PART_HEAD_BYTES} bytes`);
    }
    if (end < 0) {
      this.#at = Math.max(this.#from, bytes.length - HEAD_END.length + 1);
      return false;
    }
    if (!this.#readHead(bytes.toString('utf8', this.#from, end))) return false;
    this.#from = end + HEAD_END.length;
    this.#at = this.#from;
    this.#state = 'value';
    return true;
  }

  #readHead(text: string): boolean {
    const head = readPartHead(text, `part ${this.#count}`);
    if (typeof head === 'string') return this.#fail(this.#from, head);
    this.#part = head;
    return this.#checkWanted(head);
  }

  #checkWanted({ name, isFile, isEncoded }: PartHead): boolean {
    const lower = name.trim().toLowerCase();
    if (!this.#wanted.has(lower)) return true;
    if (lower !== name) this.fault = { kind: 'case', name: lower };
    else if (this.parts.has(name)) this.fault = { kind: 'repeated', name };
    else if (isFile) this.fault = { kind: 'file', name };
    else if (isEncoded) this.fault = { kind: 'encoded', name };
    return this.fault === undefined;
  }

  #value(bytes: Buffer): boolean {
    const end = bytes.indexOf(this.#first, this.#at);
    if (end < 0) {
      this.#at = Math.max(this.#from, bytes.length - this.#first.length + 1);
      return false;
    }
    this.#at = end + this.#first.length;
    const lineEnds = end - this.#from >= CRLF.length && bytes[end - 1] === LF && bytes[end - 2] === CR;
    if (!lineEnds) {
      // Some readers take any line end for the one before a boundary.
      const before = end === this.#from ? LF : bytes[end - 1];
      return before === LF || before === CR ? this.#fail(end, 'before a boundary CR LF is expected') : true;
    }
    const { name, isFile } = this.#part;
    const place = { start: this.#from, end: end - CRLF.length };
    if (!isFile) this.textBytes += place.end - place.start;
    if (this.#wanted.has(name)) this.parts.set(name, place);
    this.entries.push({ ...this.#part, ...place });
    this.#state = 'boundary';
    return true;
  }

  /** Readers drop what stands behind the form. */
  #epilogue(bytes: Buffer): boolean {
    for (; this.#at < bytes.length; this.#at += 1) {
      const byte = bytes[this.#at];
      if (byte !== CR && byte !== LF && byte !== SPACE && byte !== TAB) {
        return this.#fail(this.#at, 'something stands behind the end of the form');
      }
    }
    return false;
  }

  #fail(at: number, detail: string): false {
    this.fault = { kind: 'syntax', at, detail };
    return false;
  }
}

export interface PartHead {
  readonly name: string;
  readonly isFile: boolean;
  /** As it was written. */
  readonly filename: string | undefined;
  /** Its content-type. */
  readonly mediaType: string | undefined;
  /** It has a content-transfer-encoding. */
  readonly isEncoded: boolean;
}

const NO_PART: PartHead = { name: '', isFile: false, filename: undefined, mediaType: undefined, isEncoded: false };

/** The headers of one part, which `part` names; or what is wrong with them. */
export function readPartHead(head: string, part: string): PartHead | string {
  let disposition: string | undefined;
  let mediaType: string | undefined;
  let isEncoded = false;
  for (const line of head.split('\r\n')) {
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line)) return `a header of ${part} has a control character`;
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return `a header of ${part} is malformed`;
    const lower = name.toLowerCase();
    if (lower === 'content-disposition') {
      if (disposition !== undefined) return `${part} has two content-dispositions`;
      disposition = value;
    } else if (lower === 'content-type') {
      if (mediaType !== undefined) return `${part} has two content-types`;
      mediaType = value.trim();
    } else if (lower === 'content-transfer-encoding') isEncoded ||= !/^(binary|7bit|8bit)[ \t]*$/i.test(value);
  }
  const type = /^form-data(?=[ \t;])/i.exec(disposition ?? '')?.[0];
  const parameters = type === undefined ? undefined : parametersOf(disposition!.slice(type.length));
  const name = parameters?.get('name');
  if (parameters === undefined || name === undefined || parameters.has('name*')) {
    return `${part} needs a content-disposition \`form-data; name="…"\`, each parameter once and its quotes closed`;
  }
  const isFile = parameters.has('filename') || parameters.has('filename*');
  // RFC 7578 §4.6: it would name the charset of all others.
  if (name === '_charset_') return `${part} is \`_charset_\`: texts of a form are UTF-8`;
  if (!isFile && !isAsciiIn(charsetOf(mediaType))) return `${part} has a charset other than UTF-8`;
  return { name, isFile, filename: parameters.get('filename'), mediaType, isEncoded };
}

/** A type that cannot be read has one that nobody knows. */
function charsetOf(mediaType: string | undefined): string | undefined {
  if (mediaType === undefined || !/charset/i.test(mediaType)) return undefined;
  return parametersOf(mediaType.slice(mediaType.indexOf(';')))?.get('charset') ?? '';
}

/** Parameters behind a `;` each, names in lower case; undefined: they can be read in two ways, or not at all. */
function parametersOf(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  let end = 0;
  for (let match = PARAMETER.exec(text); match !== null; match = PARAMETER.exec(text)) {
    const [, name = '', quoted, plain = ''] = match;
    const value = quoted ?? plain;
    // Some readers take it for an escaped quote, others for the end of the text.
    if (quoted?.endsWith('\\') || found.has(name.toLowerCase())) return undefined;
    found.set(name.toLowerCase(), value);
    end = PARAMETER.lastIndex;
  }
  return /^[ \t]*;?[ \t]*$/.test(text.slice(end)) ? found : undefined;
}
