import { GatewayError } from '../core/errors.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { endsWithEvent, lastEventEnd, nextEventEnd } from './event-cutter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

const USAGE = Buffer.from('"usage"');
const ERROR = Buffer.from('"error"');
const DATA = Buffer.from('data:');
const DONE = Buffer.from('[DONE]');
const FINISHED = Buffer.from('"finish_reason":"');
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
 * An OpenAI-style event stream, carried back byte for byte, read on the side for usage. A chunk of whole events (nearly
 * every chunk is) costs two native searches and is passed on by reference. Of an event that was cut by the network a
 * copy is kept until its end comes; where `stripUsage` it is also held back, because it might be the one to take out.
 */
export class StreamPassthrough implements RelayMode {
  readonly #o: StreamPassthroughOptions;
  /** The unfinished event at the end of what was received, in a buffer that doubles. */
  #carry: Buffer = EMPTY;
  #carryLength = 0;
  /** Bytes of the carry that the client already has. */
  #carryPassed = 0;
  /** The unfinished event is too long to matter: it is passed on up to its end without being read. */
  #skipping = false;
  #committed = false;
  #beforeContent: Buffer[] = [];
  #beforeContentBytes = 0;
  #lastEvents: Buffer = EMPTY;
  #sawFinish = false;

  constructor(options: StreamPassthroughOptions) {
    this.#o = options;
  }

  get unfinishedLine(): boolean {
    return this.#carryPassed > 0 || this.#skipping;
  }

  chunk(bytes: Buffer): void {
    this.#o.meter.passed(bytes);
    if (this.#carryLength === 0 && !this.#skipping && endsWithEvent(bytes)) {
      this.#events(bytes);
      return;
    }
    this.#cutChunk(bytes);
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
    if (endsWithConnection && !this.#sawFinish && !this.#lastEvents.includes(DONE)) {
      host.fail(new GatewayError('upstream_cut', { detail: 'The stream ended without its last event.' }));
      return;
    }
    if (!this.#committed) {
      // A stream without any content: empty answers are the provider's to give.
      this.#commit();
    }
    host.finish();
  }

  /** Whole events; the first `passed` bytes were already given to the client. */
  #events(bytes: Buffer, passed = 0): void {
    const { host } = this.#o;
    if (!this.#committed) {
      const verdict = this.#firstContent(bytes);
      if (verdict === 'none') {
        this.#holdBack(bytes);
        return;
      }
      if (verdict instanceof GatewayError) {
        host.fail(verdict);
        return;
      }
    }
    host.content();
    this.#lastEvents = bytes;
    if (this.#o.endsWithConnection && !this.#sawFinish) this.#sawFinish = bytes.includes(FINISHED);
    if (bytes.indexOf(USAGE) < 0) {
      this.#pass(bytes, passed);
      return;
    }
    this.#passWithUsage(bytes, passed);
  }

  #pass(bytes: Buffer, from: number): void {
    if (from === bytes.length) return;
    this.#commit();
    this.#o.host.write(from === 0 ? bytes : bytes.subarray(from));
  }

  /** Reads every event that carries a usage; drops the one that only our question caused. */
  #passWithUsage(bytes: Buffer, passed: number): void {
    let from = passed;
    let search = 0;
    for (;;) {
      const at = bytes.indexOf(USAGE, search);
      if (at < 0) break;
      search = at + USAGE.length;
      if (!opensObject(bytes, search)) continue;
      const start = Math.max(lastEventEnd(bytes, 0, at), 0);
      const next = nextEventEnd(bytes, at);
      const end = next < 0 ? bytes.length : next;
      const event = eventJson(bytes.subarray(start, end));
      search = end;
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

  #cutChunk(bytes: Buffer): void {
    if (this.#skipping) {
      // The boundary may lie across two chunks: the last bytes of the event stay in the carry.
      this.#skipOn(bytes);
      return;
    }
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
    if (this.#carryLength === 0) return;
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
    this.#o.host.content();
    this.#o.host.write(Buffer.from(fresh));
    this.#carryPassed = this.#carryLength;
  }

  #skipOn(bytes: Buffer): void {
    const before = this.#carryLength;
    this.#append(bytes);
    const end = nextEventEnd(this.#carry.subarray(0, this.#carryLength), 0);
    if (end < 0) {
      this.#o.host.content();
      this.#o.host.write(bytes);
      this.#keepEnd();
      return;
    }
    this.#skipping = false;
    const ofChunk = Math.max(0, end - before);
    this.#o.host.content();
    if (ofChunk > 0) this.#o.host.write(bytes.subarray(0, ofChunk));
    this.#carryLength = 0;
    this.#carryPassed = 0;
    if (ofChunk < bytes.length) this.chunkRest(bytes.subarray(ofChunk));
  }

  /** The rest of a chunk behind a skipped event: metered already. */
  chunkRest(bytes: Buffer): void {
    if (endsWithEvent(bytes)) this.#events(bytes);
    else this.#cutChunk(bytes);
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
    this.#beforeContentBytes += bytes.length;
    if (this.#beforeContentBytes > this.#o.holdBytes) this.#commit();
  }

  #commit(): void {
    if (this.#committed) return;
    this.#committed = true;
    this.#o.host.commit(this.#o.contentType);
    for (const bytes of this.#beforeContent) this.#o.host.write(bytes);
    this.#beforeContent = [];
  }
}

const EMPTY = Buffer.alloc(0);

/** Whether a colon and an opening brace follow, white space aside: not `null`. */
function opensObject(bytes: Buffer, from: number): boolean {
  let colon = false;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x20) continue;
    if (byte === 0x3a && !colon) colon = true;
    else return byte === 0x7b && colon;
  }
  return false;
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
