import { ByteList } from '../codec/byte-list.ts';
import { Carry } from '../codec/carry.ts';
import { GatewayError } from '../core/errors.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { endsWithEvent, eventAround, lastEventEnd, nextEventEnd } from './event-cutter.ts';
import { eventJson, hasNoChoices } from './event-json.ts';
import { isAt, nextUsage, saysDone, saysWhy } from './event-marks.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { streamError } from './stream-error.ts';

const ERROR = Buffer.from('error"');
/** Where it stands in `data: {"error"`. */
const ERROR_AT = 8;
const DATA = Buffer.from('data:');
const LF = 0x0a;
const CR = 0x0d;
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
  /** The unfinished event at the end of what was received. */
  readonly #carry = new Carry();
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
    else if (this.#carry.length > 0) this.#endEvent(bytes);
    else this.#fresh(bytes);
  }

  ended(): void {
    const { host, endsWithConnection } = this.#o;
    if (this.#carry.length > 0) {
      this.#carriedEvents(this.#carry.length);
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
    const usageAt = nextUsage(bytes, 0);
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
      const around = eventAround(bytes, at);
      end = around.end;
      const event = eventJson(bytes.subarray(around.start, end));
      if (event === undefined) continue;
      const usage = this.#o.wire.toUsage(event['usage'], event);
      if (usage) this.#o.meter.add(usage);
      if (usage && this.#o.stripUsage && hasNoChoices(event)) {
        if (around.start > from) this.#pass(bytes.subarray(from, around.start), 0);
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
    const { start, end } = eventAround(bytes, line);
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
    const before = this.#carry.length;
    this.#carry.append(bytes);
    const end = lastEventEnd(this.#carry.memory, Math.max(0, before - 3), this.#carry.length);
    if (end > 0) this.#carriedEvents(end);
    if (this.#carry.length === 0 || this.#failed) return;
    if (this.#carry.length > MAX_EVENT_BYTES) {
      this.#letGo();
      this.#skipping = true;
      this.#keepEnd();
      return;
    }
    const unsure = this.#o.stripUsage && this.#carryPassed === 0 && !this.#cannotBeUsage();
    if (!unsure && this.#committed) this.#letGo();
  }

  #carriedEvents(end: number): void {
    const passed = this.#carryPassed;
    this.#carryPassed = 0;
    this.#events(this.#carry.take(end), passed);
  }

  /** Passes on what the client has not yet of the unfinished event. */
  #letGo(): void {
    const { memory, length } = this.#carry;
    if (this.#carryPassed === length) return;
    this.#commit();
    if (memory.subarray(0, length).indexOf(DATA) >= 0) this.#content(1);
    this.#o.host.write(Buffer.from(memory.subarray(this.#carryPassed, length)));
    this.#carryPassed = length;
  }

  /** The boundary may lie across two chunks: the last bytes of the event stay in the carry. */
  #skipOn(bytes: Buffer): void {
    const before = this.#carry.length;
    this.#carry.append(bytes);
    const end = nextEventEnd(this.#carry.memory.subarray(0, this.#carry.length), 0);
    this.#content(1);
    if (end < 0) {
      this.#o.host.write(bytes);
      this.#keepEnd();
      return;
    }
    this.#skipping = false;
    const ofChunk = Math.max(0, end - before);
    if (ofChunk > 0) this.#o.host.write(bytes.subarray(0, ofChunk));
    this.#carry.clear();
    this.#carryPassed = 0;
    if (ofChunk < bytes.length) this.#fresh(bytes.subarray(ofChunk));
  }

  /** While skipping only what can be the beginning of an empty line matters. */
  #keepEnd(): void {
    this.#carry.keepLast(3);
    this.#carryPassed = this.#carry.length;
  }

  #cannotBeUsage(): boolean {
    const { memory, length } = this.#carry;
    return length > RELEASE_BYTES && memory.subarray(0, length).indexOf(CHOICE) >= 0;
  }

  #firstContent(bytes: Buffer): 'content' | 'none' | GatewayError {
    const data = bytes.indexOf(DATA);
    if (data < 0) return 'none';
    const first = bytes.subarray(data, eventAround(bytes, data).end);
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
