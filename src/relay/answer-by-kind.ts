import { ByteList } from '../codec/byte-list.ts';
import { beginsWithData } from '../codec/sse-event.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { ErrorAnswer } from './error-answer.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** The kind of an answer by its first bytes: server-sent events, binary frames, JSON, a page, something else, no bytes. */
export type AnswerKind = 'events' | 'frames' | 'json' | 'html' | 'other' | 'nothing';

/** White space in front of an answer beyond this is dropped: it tells nothing, and may have no end. */
const MAX_BLANK_BYTES = 4_096;
const OPEN_BRACE = 0x7b;
/** https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
const FIELDS = ['data', 'event', 'id', 'retry'];
/** Blank, line ends, and a byte order mark. */
const SKIPPED = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf]);

/**
 * A 2xx answer, carried by the kind that its first bytes tell: many providers label answers wrongly. Until those bytes are
 * there nothing is content, since some providers send white space while a request waits.
 */
export class AnswerByKind implements RelayMode {
  readonly #host: RelayHost;
  readonly #wantsStream: boolean;
  /** Undefined once it was asked: it holds the head of the answer. */
  #choose: ((kind: AnswerKind) => OrError<RelayMode>) | undefined;
  /** Made only where the first read does not tell. */
  #waiting: ByteList | undefined;
  #pieces = 0;
  /** The first bytes that are not blank, as far as they are needed. */
  #first = '';
  #mode: RelayMode | undefined;
  #failed = false;

  /** `asked`: what the client expects, and gets, unless the answer is an error. */
  constructor(host: RelayHost, asked: 'stream' | 'whole', choose: (kind: AnswerKind) => OrError<RelayMode>) {
    this.#host = host;
    this.#wantsStream = asked === 'stream';
    this.#choose = choose;
  }

  /** An answer of the other kind is converted to the one that was asked for; the relay tells an error. */
  get isStream(): boolean {
    return this.#wantsStream && !(this.#mode instanceof ErrorAnswer);
  }

  get unfinishedLine(): boolean {
    return this.isStream && this.#mode?.unfinishedLine === true;
  }

  failed(error: GatewayError): Buffer | undefined {
    return this.isStream ? this.#mode?.failed?.(error) : undefined;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#mode !== undefined) {
      this.#mode.chunk(bytes, pieces);
      return;
    }
    if (this.#failed) return;
    const kind = this.#kindWith(bytes);
    if (this.#waiting === undefined && kind !== undefined) this.#begin(kind, bytes, pieces);
    else this.#wait(bytes, pieces, kind);
  }

  ended(): void {
    if (this.#mode === undefined && !this.#failed) {
      this.#begin(this.#first === '' ? 'nothing' : 'other', this.#waiting?.whole(), this.#pieces);
    }
    this.#mode?.ended();
  }

  #wait(bytes: Buffer, pieces: number, kind: AnswerKind | undefined): void {
    this.#waiting ??= new ByteList();
    this.#waiting.push(bytes);
    this.#pieces += pieces;
    if (kind !== undefined) this.#begin(kind, this.#waiting.whole(), this.#pieces);
    else if (this.#first === '' && this.#waiting.length > MAX_BLANK_BYTES) this.#waiting.keepLast(0);
  }

  #begin(kind: AnswerKind, bytes: Buffer | undefined, pieces: number): void {
    const mode = this.#choose!(kind);
    this.#choose = undefined;
    if (mode instanceof GatewayError) {
      this.#failed = true;
      this.#host.fail(mode);
      return;
    }
    this.#mode = mode;
    if (bytes !== undefined && bytes.length > 0) mode.chunk(bytes, pieces);
  }

  #kindWith(bytes: Buffer): AnswerKind | undefined {
    // Nearly all that are no streams.
    if (this.#first === '' && bytes[0] === OPEN_BRACE) return 'json';
    if (this.#first === '' && beginsWithData(bytes, 0)) return 'events';
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (this.#first === '' && SKIPPED.has(byte)) continue;
      this.#first += String.fromCharCode(byte);
      const kind = kindOf(this.#first);
      if (kind !== undefined) return kind;
    }
    return undefined;
  }
}

/** Undefined: more is needed. */
function kindOf(first: string): AnswerKind | undefined {
  if (first[0] === '{' || first[0] === '[') return 'json';
  if (first[0] === '<') return 'html';
  // The length of a frame, which is far below 16 MiB. No text begins so.
  if (first[0] === '\0') return 'frames';
  // The name of a comment is empty.
  const colon = first.indexOf(':');
  if (colon >= 0) return colon === 0 || FIELDS.includes(first.slice(0, colon)) ? 'events' : 'other';
  return FIELDS.some((field) => field.startsWith(first)) ? undefined : 'other';
}
