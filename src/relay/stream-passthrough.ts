import { ByteList } from '../codec/byte-list.ts';
import { GatewayError } from '../core/errors.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { endsWithEvent, lastEventEnd, nextEventEnd } from './event-cutter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** Without its opening quote: the search looks natively for the first byte, and a quote is the commonest of JSON. */
const USAGE = Buffer.from('usage"');
const FINISH = Buffer.from('finish_reason"');
const ERROR = Buffer.from('error"');
/** Where it stands in `data: {"error"`. */
const ERROR_AT = 8;
const DONE = [Buffer.from('data: [DONE]'), Buffer.from('data:[DONE]')];
const DATA = Buffer.from('data:');
/** Behind a key whose value is an object with anything in it there are at least so many bytes. */
const LEAST_BEHIND = 8;
const NO_USAGE = Buffer.from('"usage":null}\n\n');
const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const CLOSE_BRACKET = 0x5d;
const CHOICE = Buffer.from('"choices":[{');
/** An event that is not whole is remembered up to here; a longer one cannot be the usage event. */
const MAX_EVENT_BYTES = 65_536;
/** From here on it is worth a look whether an unfinished event can be let go before its end. */
const RELEASE_BYTES = 1_024;

export interface StreamPassthroughOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly contentType: string;
  /** The gateway asked for usage, not the client: the event this caused is taken out. */
  readonly stripUsage: boolean;
  /** The provider's answer ends with its connection: its end alone does not say that it is whole. */
  readonly endsWithConnection: boolean;
  /** What may be held before the first content. */
  readonly holdBytes: number;
}

/**
 * An OpenAI-style event stream, carried back byte for byte, read on the side for usage. A chunk of whole events, be it
 * one or a hundred, costs a native search and one for each of its lines, and is passed on by reference. Of an event that
 * was cut by the network a copy is kept until its end comes; where `stripUsage` it is also held back, because it might be
 * the one to take out.
 */
export class StreamPassthrough implements RelayMode {
  readonly isStream = true;
  readonly #o: StreamPassthroughOptions;
  /** The unfinished event at the end of what was received, in a buffer that doubles. */
  #carry: Buffer = EMPTY;
  #carryLength = 0;
  /** Bytes of the carry that the client already has. */
  #carryPassed = 0;
  /** The unfinished event is too long to matter: it is passed on up to its end without being read. */
  #skipping = false;
  #committed = false;
  #beforeContent = new ByteList();
  #sawEnd = false;
  #failed = false;
  /** Of the chunk at hand: pieces that were not counted as content yet. */
  #pieces = 0;

  constructor(options: StreamPassthroughOptions) {
    this.#o = options;
  }

  get unfinishedLine(): boolean {
    return this.#carryPassed > 0 || this.#skipping;
  }

  get complete(): boolean {
    return this.#sawEnd;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#failed) return;
    this.#o.meter.passed(bytes);
    this.#pieces = pieces;
    if (this.#skipping) this.#skipOn(bytes);
    else if (this.#carryLength > 0) this.#endEvent(bytes);
    else this.#fresh(bytes);
  }

  ended(): void {
    const { host, endsWithConnection } = this.#o;
    if (this.#carryLength > 0) {
      const rest = Buffer.from(this.#carry.subarray(0, this.#carryLength));
      const passed = this.#carryPassed;
      this.#carryLength = 0;
      this.#carryPassed = 0;
      this.#events(rest, passed);
    }
    if (this.#failed) return;
    if (endsWithConnection && !this.#sawEnd) {
      this.#fail(new GatewayError('upstream_cut', { detail: 'The stream ended without its last event.' }));
      return;
    }
    // A stream without any content: empty answers are the provider's to give.
    this.#commit();
    host.finish();
  }

  /** Whole events; the first `passed` bytes were already given to the client. */
  #events(bytes: Buffer, passed = 0): void {
    if (!this.#committed) {
      const verdict = this.#firstContent(bytes);
      if (verdict === 'none') {
        this.#holdBack(bytes);
        return;
      }
      if (verdict instanceof GatewayError) {
        this.#fail(verdict);
        return;
      }
    }
    // Comments are not content: a proxy that keeps a dead provider's line warm must not keep ours.
    const dataLines = this.#readLines(bytes);
    if (dataLines > 0) this.#content(dataLines);
    // A finish reason has to be looked for, and matters only without a proper end.
    this.#sawEnd ||= saysDone(bytes) || (this.#o.endsWithConnection && saysWhy(bytes));
    const usageAt = saysNoUsage(bytes) ? -1 : nextUsage(bytes, 0);
    if (usageAt < 0) this.#pass(bytes, passed);
    else this.#passWithUsage(bytes, passed, usageAt);
  }

  #pass(bytes: Buffer, from: number): void {
    if (from === bytes.length) return;
    this.#commit();
    this.#o.host.write(from === 0 ? bytes : bytes.subarray(from));
  }

  /** Reads every event that carries a usage; drops the one that only our question caused. */
  #passWithUsage(bytes: Buffer, passed: number, usageAt: number): void {
    let from = passed;
    let end = 0;
    for (let at = usageAt; at >= 0; at = nextUsage(bytes, end)) {
      const start = Math.max(lastEventEnd(bytes, 0, at), 0);
      const next = nextEventEnd(bytes, at);
      end = next < 0 ? bytes.length : next;
      const event = eventJson(bytes.subarray(start, end));
      if (event === undefined) continue;
      const usage = this.#o.wire.toUsage(Reflect.get(event, 'usage'));
      if (usage) this.#o.meter.add(usage);
      if (usage && this.#o.stripUsage && hasNoChoices(event)) {
        if (start > from) this.#pass(bytes.subarray(from, start), 0);
        from = end;
      }
    }
    if (from < bytes.length) this.#pass(bytes, from);
  }

  /** How many lines of data there are; `data: {"error"…` among them is remarked, and passes like any other event. */
  #readLines(bytes: Buffer): number {
    let data = 0;
    for (let line = 0; line < bytes.length; ) {
      const first = bytes[line];
      if (first === LF || first === CR) {
        line += 1;
        continue;
      }
      if (first === DATA[0]) data += 1;
      if (isAt(bytes, line + ERROR_AT, ERROR)) line = this.#remarkError(bytes, line);
      else {
        const end = bytes.indexOf(LF, line);
        line = end < 0 ? bytes.length : end + 1;
      }
    }
    return data > 0 || bytes.indexOf(DATA) < 0 ? data : 1;
  }

  /** Offset behind the event in which the line is. */
  #remarkError(bytes: Buffer, line: number): number {
    const start = Math.max(lastEventEnd(bytes, 0, line), 0);
    const next = nextEventEnd(bytes, line);
    const end = next < 0 ? bytes.length : next;
    const event = eventJson(bytes.subarray(start, end));
    const error: unknown = event && Reflect.get(event, 'error');
    if (error) this.#o.host.remark(streamError(error));
    return end;
  }

  #fail(error: GatewayError): void {
    this.#failed = true;
    this.#o.host.fail(error);
  }

  /** Of the pieces that came at most so many brought content. */
  #content(most: number): void {
    const pieces = Math.min(this.#pieces, most);
    this.#pieces -= pieces;
    this.#o.host.content(pieces);
  }

  /** Behind whole events. */
  #fresh(bytes: Buffer): void {
    const end = endsWithEvent(bytes) ? bytes.length : lastEventEnd(bytes, 0, bytes.length);
    if (end > 0) this.#events(end === bytes.length ? bytes : bytes.subarray(0, end));
    if (!this.#failed && end < bytes.length) this.#hold(end > 0 ? bytes.subarray(end) : bytes);
  }

  /** Only what ends the unfinished event is copied to it; what follows is on its own. */
  #endEvent(bytes: Buffer): void {
    const end = nextEventEnd(bytes, 0);
    if (end < 0 || end === bytes.length) {
      this.#hold(bytes);
      return;
    }
    this.#hold(bytes.subarray(0, end));
    if (!this.#failed) this.#fresh(bytes.subarray(end));
  }

  #hold(bytes: Buffer): void {
    const before = this.#carryLength;
    this.#append(bytes);
    const end = lastEventEnd(this.#carry, Math.max(0, before - 3), this.#carryLength);
    if (end > 0) {
      const whole = Buffer.from(this.#carry.subarray(0, end));
      const passed = this.#carryPassed;
      this.#carry.copyWithin(0, end, this.#carryLength);
      this.#carryLength -= end;
      this.#carryPassed = 0;
      this.#events(whole, passed);
    }
    if (this.#carryLength === 0 || this.#failed) return;
    if (this.#carryLength > MAX_EVENT_BYTES) {
      this.#letGo();
      this.#skipping = true;
      this.#keepEnd();
      return;
    }
    const unsure = this.#o.stripUsage && this.#carryPassed === 0 && !this.#cannotBeUsage();
    if (!unsure && this.#committed) this.#letGo();
  }

  /** Passes on what the client has not yet of the unfinished event. */
  #letGo(): void {
    const fresh = this.#carry.subarray(this.#carryPassed, this.#carryLength);
    if (fresh.length === 0) return;
    this.#commit();
    if (this.#carry.subarray(0, this.#carryLength).indexOf(DATA) >= 0) this.#content(1);
    this.#o.host.write(Buffer.from(fresh));
    this.#carryPassed = this.#carryLength;
  }

  /** The boundary may lie across two chunks: the last bytes of the event stay in the carry. */
  #skipOn(bytes: Buffer): void {
    const before = this.#carryLength;
    this.#append(bytes);
    const end = nextEventEnd(this.#carry.subarray(0, this.#carryLength), 0);
    this.#content(1);
    if (end < 0) {
      this.#o.host.write(bytes);
      this.#keepEnd();
      return;
    }
    this.#skipping = false;
    const ofChunk = Math.max(0, end - before);
    if (ofChunk > 0) this.#o.host.write(bytes.subarray(0, ofChunk));
    this.#carryLength = 0;
    this.#carryPassed = 0;
    if (ofChunk < bytes.length) this.#fresh(bytes.subarray(ofChunk));
  }

  /** While skipping only what can be the beginning of an empty line matters. */
  #keepEnd(): void {
    const keep = Math.min(3, this.#carryLength);
    this.#carry.copyWithin(0, this.#carryLength - keep, this.#carryLength);
    this.#carryLength = keep;
    this.#carryPassed = keep;
  }

  #cannotBeUsage(): boolean {
    return this.#carryLength > RELEASE_BYTES && this.#carry.subarray(0, this.#carryLength).indexOf(CHOICE) >= 0;
  }

  #append(bytes: Buffer): void {
    const needed = this.#carryLength + bytes.length;
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafe(Math.max(512, needed, this.#carry.length * 2));
      this.#carry.copy(larger, 0, 0, this.#carryLength);
      this.#carry = larger;
    }
    bytes.copy(this.#carry, this.#carryLength);
    this.#carryLength = needed;
  }

  #firstContent(bytes: Buffer): 'content' | 'none' | GatewayError {
    const data = bytes.indexOf(DATA);
    if (data < 0) return 'none';
    const end = nextEventEnd(bytes, data);
    const first = bytes.subarray(data, end < 0 ? bytes.length : end);
    if (first.indexOf(ERROR) < 0) return 'content';
    const event = eventJson(first);
    const error: unknown = event && Reflect.get(event, 'error');
    return error ? streamError(error) : 'content';
  }

  #holdBack(bytes: Buffer): void {
    this.#beforeContent.push(bytes);
    if (this.#beforeContent.length > this.#o.holdBytes) this.#commit();
  }

  #commit(): void {
    if (this.#committed) return;
    this.#committed = true;
    this.#o.host.commit(this.#o.contentType);
    for (const bytes of this.#beforeContent.pieces()) this.#o.host.write(bytes);
    this.#beforeContent = new ByteList();
  }
}

const EMPTY = Buffer.alloc(0);

/**
 * One event that ends in `"usage":null`, as nearly every chunk does where usage was asked for: a search for one byte
 * costs a fifth of one for a word (bench: stream-passthrough).
 */
function saysNoUsage(bytes: Buffer): boolean {
  const from = bytes.length - NO_USAGE.length;
  if (from < 0) return false;
  for (let i = NO_USAGE.length - 1; i >= 0; i -= 1) if (bytes[from + i] !== NO_USAGE[i]) return false;
  return bytes.indexOf(LF) === bytes.length - 2;
}

/** Offset behind the next `"usage"` key whose value is an object (not null); -1: there is none. */
function nextUsage(bytes: Buffer, from: number): number {
  let search = from;
  while (bytes.length - search > LEAST_BEHIND) {
    const at = bytes.indexOf(USAGE, search);
    if (at < 0) return -1;
    search = at + USAGE.length;
    if (at > 0 && bytes[at - 1] === QUOTE && valueBegins(bytes, search) === 0x7b) return search;
  }
  return -1;
}

/** `data: [DONE]`; comments may stand behind it. */
function saysDone(bytes: Buffer): boolean {
  const end = bytes.lastIndexOf(CLOSE_BRACKET) + 1;
  return DONE.some((done) => {
    const at = end - done.length;
    return isAt(bytes, at, done) && (at === 0 || bytes[at - 1] === LF || bytes[at - 1] === CR);
  });
}

function isAt(bytes: Buffer, at: number, what: Buffer): boolean {
  for (let i = 0; i < what.length; i += 1) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** A finish reason: the last of a whole answer where the provider sends no `[DONE]`. */
function saysWhy(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(FINISH); at >= 0; at = bytes.indexOf(FINISH, at + 1)) {
    if (bytes[at - 1] === QUOTE && valueBegins(bytes, at + FINISH.length) === QUOTE) return true;
  }
  return false;
}

/** The first byte of the value behind a key, its colon and white space; 0 where that is not what follows. */
function valueBegins(bytes: Buffer, from: number): number {
  let colon = false;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === 0x20) continue;
    if (byte !== 0x3a || colon) return colon ? byte : 0;
    colon = true;
  }
  return 0;
}

/** The JSON object of one event's data lines; undefined where it is none. */
function eventJson(bytes: Buffer): object | undefined {
  let data = '';
  for (const line of bytes.toString('utf8').split(/\r\n|\n|\r/)) {
    if (line.startsWith('data:')) data += line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5);
  }
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Not JSON: not an event we read. The client gets it as it is.
    return undefined;
  }
}

function hasNoChoices(event: object): boolean {
  const choices: unknown = Reflect.get(event, 'choices');
  return Array.isArray(choices) && choices.length === 0;
}

/** An error event instead of content. Its `code` is an HTTP status with some providers. */
export function streamError(error: unknown): GatewayError {
  const field = (name: string): unknown =>
    typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  const message = field('message');
  const code = field('code');
  const type = field('type');
  const status = typeof code === 'number' && code >= 400 && code <= 599 ? code : undefined;
  const context = {
    detail: typeof message === 'string' ? message.slice(0, 1024) : undefined,
    upstreamType: typeof type === 'string' ? type : undefined,
    upstreamCode: typeof code === 'string' ? code : undefined,
  };
  if (status === 429) return new GatewayError('upstream_rate_limited', context);
  if (status === 503 || status === 529) return new GatewayError('upstream_overloaded', context);
  return new GatewayError('upstream_stream_error', context);
}
