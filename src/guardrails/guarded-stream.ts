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
import type { HookPlan } from './plan.ts';
import { LocalTally } from './session.ts';

/** A stretch of a channel that one event brings. */
interface Piece {
  /** As it came. */
  readonly text: string;
  /** Undefined: its event was recognised, and is parsed where it is changed. */
  slot: TextSlot | undefined;
  readonly channel: StreamChannel;
  readonly start: number;
  readonly end: number;
}

interface HeldEvent {
  readonly bytes: Buffer;
  name: string | undefined;
  /** Undefined: it has no words, or was not parsed. */
  data: JsonObject | undefined;
  readonly pieces: readonly Piece[];
  /** Its words are not those that came. */
  isChanged: boolean;
}

const NO_PIECES: readonly Piece[] = [];

/** Events of a stream differ in nothing but their words: what stands before and behind those of the last one. */
interface Familiar {
  readonly before: Buffer;
  readonly behind: Buffer;
  readonly channel: StreamChannel;
}

interface StreamChannel {
  readonly name: string;
  readonly local: Channel;
  /** What it says after local guards, where others ask for all of it. */
  said: string;
  /** What they made of it, before any of it was let go. */
  instead: string | undefined;
  /** Of `said`: what was asked about in a window before. */
  asked: number;
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
  #familiar: Familiar | undefined;
  readonly #ends = new EventEnds();
  /** The unfinished event at the end of what was written. */
  readonly #partial = new PartialBuffer();
  /** What was decided of every event before them; behind the first whatever came after it. */
  readonly #held: HeldEvent[] = [];
  #heldBytes = 0;
  readonly #holdsAll: boolean;
  /** Whoever asks about whole texts is asked about one window after the other, which leaves once it has passed. */
  readonly #isWindowed: boolean;
  /** Events at the beginning of those that are held whose words stand in a window. */
  #read = 0;
  #asking = false;
  #paused = false;
  #atEnd: ((rest: Buffer | undefined) => void) | undefined;
  /** Nobody wants to see what was decided. */
  readonly #passesAtOnce: boolean;
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
    this.#isWindowed = acts && plan?.onStreams === 'window' && plan.mutators.length === 0;
    this.#holdsAll = acts && plan?.onStreams !== 'audit' && !this.#isWindowed;
    this.#passesAtOnce = !this.#holdsAll && !this.#keepsTexts;
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
    if (this.#isWindowed) this.#pauseOrResume();
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
    if (this.#familiar !== undefined && this.#isFamiliar(bytes, this.#familiar)) return;
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
      pieces.push({ text, slot, channel, start, end: start + text.length });
      if (channel.local.refused) this.#refuse();
    }
    this.#hold({ bytes, name, data: parsed, pieces: pieces ?? NO_PIECES, isChanged });
    if (pieces?.length === 1 && slots.length === 1 && ends.length === 0) this.#learn(bytes, pieces[0]!);
    for (const prefix of ends) this.#endChannels(prefix);
  }

  /** A parse costs more than all the rest: an event that differs from the last in its words alone is not parsed. */
  #isFamiliar(bytes: Buffer, { before, behind, channel }: Familiar): boolean {
    const from = before.length;
    const to = bytes.length - behind.length;
    if (to <= from || before.compare(bytes, 0, from) !== 0 || behind.compare(bytes, to) !== 0) return false;
    const text = bytes.toString('utf8', from, to);
    if (UNPLAIN.test(text)) return false;
    const { local } = channel;
    const start = local.length;
    local.push(text);
    if (local.refused) this.#refuse();
    else if (this.#held.length === 0 && this.#passesAtOnce && local.isSettled) this.#out.push(bytes);
    else {
      const piece = { text, slot: undefined, channel, start, end: start + text.length };
      this.#hold({ bytes, name: undefined, data: undefined, pieces: [piece], isChanged: false });
    }
    return true;
  }

  #learn(bytes: Buffer, { text, channel }: Piece): void {
    const quoted = Buffer.from(`"${text}"`);
    const at = bytes.indexOf(quoted);
    // Where the same words stand twice it is not known which of them are meant.
    if (at < 0 || UNPLAIN.test(text) || bytes.indexOf(quoted, at + 1) >= 0) return;
    const before = Buffer.from(bytes.subarray(0, at + 1));
    this.#familiar = { before, behind: Buffer.from(bytes.subarray(at + quoted.length - 1)), channel };
  }

  /** The place of the words of an event that was recognised. */
  #slotOf(event: HeldEvent, piece: Piece): TextSlot | undefined {
    if (piece.slot !== undefined) return piece.slot;
    const { name, data = '' } = readEvent(event.bytes, 0, event.bytes.length);
    event.name = name;
    event.data = parseObject(data);
    piece.slot = event.data && this.#reader.read(event.data).slots[0];
    return piece.slot;
  }

  /** Its words as local guards leave them; `kept`: whoever asks about the whole answer asks later. */
  #applyLocal(event: HeldEvent, texts: 'kept' | 'gone'): void {
    for (const piece of event.pieces) {
      const { channel, start, end } = piece;
      const text = channel.local.told(piece.text, start, end);
      if (texts === 'kept') channel.said += text;
      if (text !== piece.text) this.#set(event, piece, text);
    }
  }

  /** Its words as the guards of the whole answer made them: all of a channel stands in its first event. */
  #applyWhole(event: HeldEvent): void {
    for (const piece of event.pieces) {
      const { said, instead } = piece.channel;
      if (instead !== undefined && instead !== said) this.#set(event, piece, piece.start === 0 ? instead : '');
    }
  }

  #set(event: HeldEvent, piece: Piece, text: string): void {
    const slot = this.#slotOf(event, piece);
    if (slot !== undefined && setText(slot, text)) event.isChanged = true;
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
      channel = { name, local: new Channel(kind, plan, session, this.#tally), said: '', instead: undefined, asked: 0 };
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
    if (this.#isWindowed) {
      this.#window();
      return;
    }
    let count = 0;
    while (count < this.#held.length && isDecided(this.#held[count]!)) {
      const event = this.#held[count]!;
      this.#heldBytes -= event.bytes.length;
      this.#applyLocal(event, this.#keepsTexts ? 'kept' : 'gone');
      this.#out.push(bytesOf(event));
      count += 1;
    }
    if (count > 0) this.#held.splice(0, count);
  }

  // ── windows ───────────────────────────────────────────────────────────────

  /** Asks about what is decided and was not asked about, where it is long enough; one question at a time. */
  #window(): void {
    if (this.#over || this.#asking) return;
    while (this.#read < this.#held.length && isDecided(this.#held[this.#read]!)) {
      this.#applyLocal(this.#held[this.#read]!, 'kept');
      this.#read += 1;
    }
    const { session, plan } = this.#o;
    const { windowCharacters: least = WINDOW_CHARACTERS, overlapCharacters: overlap = OVERLAP_CHARACTERS } =
      session.settings;
    const open = [...this.#channels.values()].filter(({ said, asked }) => said.length > asked);
    const waiting = open.reduce((sum, { said, asked }) => sum + said.length - asked, 0);
    if (waiting === 0) this.#leave(this.#read);
    else if (this.#atEnd !== undefined || waiting >= 2 * least || (waiting >= least && open.some(endsSentence)))
      this.#ask(plan!, open, overlap);
    else if (this.#atEnd === undefined) return;
    if (this.#atEnd !== undefined && !this.#asking && !this.#over) this.#deliver(this.#atEnd);
  }

  #ask(plan: HookPlan, open: readonly StreamChannel[], overlap: number): void {
    const { session, request } = this.#o;
    const texts = open.map(({ said, local }) => ({ text: said, kind: local.kind }));
    const content = texts.map(({ text }) => text).join('\n');
    const response = { choices: [{ index: 0, message: { role: 'assistant', content } }] };
    for (const channel of open) {
      channel.said = channel.said.slice(-overlap);
      channel.asked = channel.said.length;
    }
    const count = this.#read;
    this.#asking = true;
    const question: GuardQuestion = {
      hook: 'llm-output',
      exchange: session.exchange,
      texts,
      request: request(),
      response,
    };
    session.validate('llm-output', plan.validators, question).then(
      (refused) => {
        this.#asking = false;
        if (this.#over) return;
        if (refused) {
          this.#fail(refused);
          return;
        }
        this.#leave(count);
        // The end takes along what is left.
        if (this.#atEnd === undefined) this.#flush();
        this.#window();
        this.#pauseOrResume();
      },
      (cause) => this.#fail(new GatewayError('internal_error', { cause })),
    );
    this.#pauseOrResume();
  }

  #leave(count: number): void {
    for (const event of this.#held.splice(0, count)) {
      this.#heldBytes -= event.bytes.length;
      this.#out.push(bytesOf(event));
    }
    this.#read -= count;
  }

  /** A guard that is slower than its stream must not make it grow here. */
  #pauseOrResume(): void {
    const isMuch = this.#asking && this.#heldBytes > MAX_AHEAD_BYTES;
    if (isMuch === this.#paused || this.#over) return;
    this.#paused = isMuch;
    if (isMuch) this.host.pause();
    else this.host.resume();
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
    if (this.#isWindowed) {
      this.#atEnd = done;
      this.#window();
      return;
    }
    if (!this.#holdsAll) {
      this.#release();
      session.recorded(askAll(session, plan!, this.#question()));
      this.#finish(done);
      return;
    }
    for (const event of this.#held) this.#applyLocal(event, 'kept');
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
          this.#applyWhole(event);
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
      this.#applyLocal(event, 'gone');
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

/** In a JSON string: what stands for something else, or ends it. */
const UNPLAIN = /["\\\x00-\x1f]/;
/** Unless the settings say otherwise: some sentences, and one of them again. */
const WINDOW_CHARACTERS = 400;
const OVERLAP_CHARACTERS = 100;
/** What may wait behind a window that is asked about; beyond it the provider is paused. */
const MAX_AHEAD_BYTES = 65_536;
const SENTENCE_END = /[.!?\u3002\uff01\uff1f\n]["')\]]?\s*$/;

function endsSentence({ said }: StreamChannel): boolean {
  return SENTENCE_END.test(said.slice(-8));
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

function bytesOf({ name, data, bytes, isChanged }: HeldEvent): Buffer {
  if (!isChanged) return bytes;
  const field = name === undefined ? '' : `event: ${name}\n`;
  return Buffer.from(`${field}data: ${JSON.stringify(data)}\n\n`);
}
