import { EventEnds } from '../codec/event-cutter.ts';
import { type JsonObject, parseObject } from '../codec/json-value.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import { readEvent } from '../codec/sse-event.ts';
import { GatewayError } from '../core/errors.ts';
import type { GuardedStream as FormStream, TextSlot } from '../dialects/guarded-form.ts';
import { AnswerFilter, type FilterHost, type Shortened } from '../relay/answer-filter.ts';
import { Channel, guardedText } from './channel.ts';
import type { GuardQuestion } from './guard.ts';
import { askAll, type OutputGuarding, setText, textOf, tooMuchHeld } from './guarded-answer.ts';
import { LocalTally } from './session.ts';

/** A stretch of a channel that one event brings. */
interface Piece {
  readonly slot: TextSlot;
  readonly channel: StreamChannel;
  readonly start: number;
  readonly end: number;
}

interface HeldEvent {
  readonly bytes: Buffer;
  readonly name: string | undefined;
  /** Undefined: it has no words. */
  readonly data: JsonObject | undefined;
  readonly pieces: readonly Piece[];
  /** Its words are not those that came. */
  isChanged: boolean;
}

const NO_PIECES: readonly Piece[] = [];

interface StreamChannel {
  readonly name: string;
  readonly local: Channel;
  /** What it says after local guards, where others ask for all of it. */
  said: string;
  /** What they made of it, before any of it was let go. */
  instead: string | undefined;
}

/**
 * A stream whose events leave once nothing in them can be part of something that is found later. Events keep their order,
 * and only their words are changed: ids, indices and usage stay as they are. Where a guard asks about the whole answer all
 * of it is held, up to `maxHeldBytes`.
 */
export class GuardedStream extends AnswerFilter {
  readonly #o: OutputGuarding;
  readonly #reader: FormStream;
  readonly #tally = new LocalTally();
  readonly #channels = new Map<string, StreamChannel>();
  readonly #ends = new EventEnds();
  /** The unfinished event at the end of what was written. */
  readonly #partial = new PartialBuffer();
  /** What was decided of every event before them; behind the first whatever came after it. */
  readonly #held: HeldEvent[] = [];
  #heldBytes = 0;
  readonly #holdsAll: boolean;
  #out: Buffer[] = [];
  #contentType = '';
  #over = false;

  constructor(host: FilterHost, options: OutputGuarding, reader: FormStream) {
    super(host);
    this.#o = options;
    this.#reader = reader;
    const { plan } = options;
    const acts = [...(plan?.mutators ?? []), ...(plan?.validators ?? [])].some(
      ({ guard }) => guard.config.strategy !== 'audit',
    );
    this.#holdsAll = acts && plan?.onStreams !== 'audit';
  }

  override commit(contentType: string): void {
    this.#contentType = contentType;
  }

  override write(bytes: Buffer): void {
    if (this.#over) return;
    const began = performance.now();
    this.#events(bytes);
    if (this.#over) return;
    this.#release();
    this.#tally.ms += performance.now() - began;
    const fault = tooMuchHeld(this.#o, this.#heldBytes + this.#partial.length);
    if (fault) this.#fail(fault);
    else this.#flush();
  }

  override finish(last?: Buffer): void {
    this.#end(last, (rest) => this.host.finish(rest));
  }

  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#end(ending, (rest) => this.host.shorten(rest ?? EMPTY, shortened));
  }

  override close(): void {
    this.#over = true;
    this.#o.memory.release();
  }

  // ── events ────────────────────────────────────────────────────────────────

  #events(read: Buffer): void {
    let bytes = read;
    if (this.#partial.length > 0) {
      this.#partial.append(read);
      bytes = this.#partial.take(this.#partial.length);
    }
    this.#ends.begin(bytes);
    for (let start = 0; start < bytes.length && !this.#over; ) {
      const end = this.#ends.after(start);
      if (end === bytes.length && !endsWithEmptyLine(bytes, start)) {
        this.#partial.append(bytes.subarray(start));
        return;
      }
      this.#event(bytes.subarray(start, end));
      start = end;
    }
  }

  #event(bytes: Buffer): void {
    const { name, data } = readEvent(bytes, 0, bytes.length);
    const parsed = data === undefined || data === '[DONE]' ? undefined : parseObject(data);
    if (parsed === undefined) {
      this.#hold({ bytes, name, data: undefined, pieces: NO_PIECES, isChanged: false });
      return;
    }
    const { slots, ends } = this.#reader.read(parsed);
    let pieces: Piece[] | undefined;
    let isChanged = false;
    for (const slot of slots) {
      if (slot.channel === undefined) {
        isChanged = this.#wholeText(slot) || isChanged;
        continue;
      }
      const channel = this.#channelOf(slot);
      const text = textOf(slot);
      const start = channel.local.length;
      channel.local.push(text);
      pieces ??= [];
      pieces.push({ slot, channel, start, end: start + text.length });
      if (channel.local.refused) this.#refuse();
    }
    this.#hold({ bytes, name, data: parsed, pieces: pieces ?? NO_PIECES, isChanged });
    for (const prefix of ends) this.#endChannels(prefix);
  }

  /** A text that an event repeats as a whole. */
  #wholeText(slot: TextSlot): boolean {
    const { plan, session } = this.#o;
    const channel = new Channel(slot.kind, plan, session, this.#tally);
    const text = guardedText(textOf(slot), channel);
    if (channel.refused) this.#refuse();
    return setText(slot, text);
  }

  #channelOf({ channel: name = '', kind }: TextSlot): StreamChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      const { plan, session } = this.#o;
      channel = { name, local: new Channel(kind, plan, session, this.#tally), said: '', instead: undefined };
      this.#channels.set(name, channel);
    }
    return channel;
  }

  #endChannels(prefix: string): void {
    for (const { name, local } of this.#channels.values()) {
      if (!name.startsWith(prefix)) continue;
      local.end();
      if (local.refused) this.#refuse();
    }
  }

  #hold(event: HeldEvent): void {
    this.#held.push(event);
    this.#heldBytes += event.bytes.length;
  }

  // ── what may leave ────────────────────────────────────────────────────────

  #release(): void {
    if (this.#over || this.#holdsAll) return;
    let count = 0;
    while (count < this.#held.length && isDecided(this.#held[count]!)) {
      const event = this.#held[count]!;
      this.#heldBytes -= event.bytes.length;
      applyLocal(event, this.#keepsTexts ? 'kept' : 'gone');
      this.#out.push(bytesOf(event));
      count += 1;
    }
    if (count > 0) this.#held.splice(0, count);
  }

  /** Guards that only record are told all of it at the end. */
  get #keepsTexts(): boolean {
    const { plan } = this.#o;
    return plan !== undefined && plan.mutators.length + plan.validators.length > 0;
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    const out = this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out);
    this.#out = [];
    this.host.commit(this.#contentType);
    this.host.write(out);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #end(last: Buffer | undefined, done: (rest: Buffer | undefined) => void): void {
    if (this.#over) return;
    if (last) this.#events(last);
    if (this.#partial.length > 0) this.#event(this.#partial.take(this.#partial.length));
    this.#endChannels('');
    const { plan, session } = this.#o;
    // It has failed already where something is refused.
    if (this.#over) return;
    if (plan) session.noteLocal('llm-output', plan, this.#tally);
    if (!this.#keepsTexts) {
      this.#finish(done);
      return;
    }
    if (!this.#holdsAll) {
      this.#release();
      session.recorded(askAll(session, plan!, this.#question()));
      this.#finish(done);
      return;
    }
    for (const event of this.#held) applyLocal(event, 'kept');
    const question = this.#question();
    const channels = [...this.#channels.values()];
    askAll(session, plan!, question).then(
      (answer) => {
        if (this.#over) return;
        if (answer instanceof GatewayError) {
          this.#fail(answer);
          return;
        }
        for (const [at, channel] of channels.entries()) channel.instead = answer[at];
        for (const event of this.#held) {
          applyWhole(event);
          this.#out.push(bytesOf(event));
        }
        this.#held.length = 0;
        this.#deliver(done);
      },
      (cause) => this.#fail(new GatewayError('internal_error', { cause })),
    );
  }

  #finish(done: (rest: Buffer | undefined) => void): void {
    for (const event of this.#held) {
      applyLocal(event, 'gone');
      this.#out.push(bytesOf(event));
    }
    this.#held.length = 0;
    this.#deliver(done);
  }

  #deliver(done: (rest: Buffer | undefined) => void): void {
    const rest = this.#out.length > 0 ? Buffer.concat(this.#out) : undefined;
    this.#out = [];
    this.#over = true;
    this.host.commit(this.#contentType);
    done(rest);
  }

  #question(): GuardQuestion {
    const { session, request } = this.#o;
    const channels = [...this.#channels.values()];
    const texts = channels.map(({ said, local }) => ({ text: said, kind: local.kind }));
    const content = channels.filter(({ local }) => local.kind === 'text').map(({ said }) => said);
    const response = { choices: [{ index: 0, message: { role: 'assistant', content: content.join('') } }] };
    return { hook: 'llm-output', exchange: session.exchange, texts, request: request(), response };
  }

  #refuse(): void {
    const { plan, session } = this.#o;
    if (this.#over || plan === undefined) return;
    const error = session.noteLocal('llm-output', plan, this.#tally);
    if (error) this.#fail(error);
  }

  #fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#held.length = 0;
    this.#out = [];
    this.host.fail(error);
  }
}

const EMPTY = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;

function endsWithEmptyLine(bytes: Buffer, from: number): boolean {
  const end = bytes.length - 1;
  if (end - 1 < from) return false;
  const last = bytes[end];
  const before = bytes[end - 1];
  if (last === LF)
    return before === LF || (before === CR && end - 2 >= from && (bytes[end - 2] === LF || bytes[end - 2] === CR));
  return last === CR && before === CR;
}

function isDecided({ pieces }: HeldEvent): boolean {
  for (const { channel, end } of pieces) if (channel.local.decided < end) return false;
  return true;
}

/** Its words as local guards leave them; `kept`: whoever asks about the whole answer asks later. */
function applyLocal(event: HeldEvent, texts: 'kept' | 'gone'): void {
  for (const { slot, channel, start, end } of event.pieces) {
    const text = channel.local.told(textOf(slot), start, end);
    if (texts === 'kept') channel.said += text;
    if (setText(slot, text)) event.isChanged = true;
  }
}

/** Its words as the guards of the whole answer made them: all of a channel stands in its first event. */
function applyWhole(event: HeldEvent): void {
  for (const { slot, channel, start } of event.pieces) {
    const { said, instead } = channel;
    if (instead === undefined || instead === said) continue;
    if (setText(slot, start === 0 ? instead : '')) event.isChanged = true;
  }
}

function bytesOf({ name, data, bytes, isChanged }: HeldEvent): Buffer {
  if (!isChanged) return bytes;
  const field = name === undefined ? '' : `event: ${name}\n`;
  return Buffer.from(`${field}data: ${JSON.stringify(data)}\n\n`);
}
