import { EventEnds } from '../codec/event-cutter.ts';
import { parseObject } from '../codec/json-value.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import { readEvent } from '../codec/sse-event.ts';
import type { GuardedStream as FormStream, TextSlot } from '../dialects/guarded-form.ts';
import { Channel, guardedText } from './channel.ts';
import type { OutputGuarding } from './guarded-answer.ts';
import type { HeldEvent, Piece, StreamChannel } from './held-event.ts';
import { setText, textOf } from './local-guarding.ts';
import type { LocalTally } from './session.ts';

/** Who takes the events that are read. */
export interface EventTaker {
  /** Nothing is taken any more. */
  readonly isOver: boolean;
  /** No event waits, and nobody wants to see those that are decided. */
  readonly passesAtOnce: boolean;
  take(event: HeldEvent): void;
  /** An event that is decided and stays as it is. */
  pass(bytes: Buffer): void;
  /** Local guards refuse what came. */
  refuse(): void;
}

export interface EventWordsOptions {
  readonly guarding: OutputGuarding;
  readonly reader: FormStream;
  readonly tally: LocalTally;
}

/** Events of a stream differ in nothing but their words: what stands before and behind those of the last one. */
interface Familiar {
  readonly before: Buffer;
  readonly behind: Buffer;
  readonly channel: StreamChannel;
}

/** Reads a stream event by event: which words each brings, and to which text they belong. Local guards see them here. */
export class EventWords {
  readonly #o: EventWordsOptions;
  readonly #taker: EventTaker;
  readonly #channels = new Map<string, StreamChannel>();
  #familiar: Familiar | undefined;
  readonly #ends = new EventEnds();
  /** The unfinished event at the end of what was written. */
  readonly #partial = new PartialBuffer();

  constructor(options: EventWordsOptions, taker: EventTaker) {
    this.#o = options;
    this.#taker = taker;
  }

  /** Bytes of an event that is not whole. */
  get unfinished(): number {
    return this.#partial.length;
  }

  get channels(): readonly StreamChannel[] {
    return [...this.#channels.values()];
  }

  write(read: Buffer): void {
    let bytes = read;
    if (this.#partial.length > 0) {
      this.#partial.append(read);
      bytes = this.#partial.take(this.#partial.length);
    }
    this.#ends.begin(bytes);
    for (let start = 0; start < bytes.length && !this.#taker.isOver; ) {
      const end = this.#ends.after(start);
      if (end === bytes.length && !endsWithEmptyLine(bytes, start)) {
        this.#partial.append(bytes.subarray(start));
        return;
      }
      this.#event(bytes.subarray(start, end));
      start = end;
    }
  }

  /** Nothing follows: what is unfinished is the last event. */
  end(last: Buffer | undefined): void {
    if (last) this.write(last);
    if (this.#partial.length > 0) this.#event(this.#partial.take(this.#partial.length));
    this.#endChannels('');
  }

  /** Its words as local guards leave them; `kept`: whoever asks about the whole answer asks later. */
  applyLocal(event: HeldEvent, texts: 'kept' | 'gone'): void {
    for (const piece of event.pieces) {
      const { channel, start, end } = piece;
      const text = channel.local.told(piece.text, start, end);
      if (texts === 'kept') channel.said += text;
      if (text !== piece.text) this.#set(event, piece, text);
    }
  }

  /** Its words as the guards of the whole answer made them: all of a channel stands in its first event. */
  applyWhole(event: HeldEvent): void {
    for (const piece of event.pieces) {
      const { said, instead } = piece.channel;
      if (instead !== undefined && instead !== said) this.#set(event, piece, piece.start === 0 ? instead : '');
    }
  }

  #event(bytes: Buffer): void {
    if (this.#familiar !== undefined && this.#isFamiliar(bytes, this.#familiar)) return;
    const { name, data } = readEvent(bytes, 0, bytes.length);
    const parsed = data === undefined || data === '[DONE]' ? undefined : parseObject(data);
    if (parsed === undefined) {
      this.#taker.take({ bytes, name, data: undefined, pieces: NO_PIECES, isChanged: false });
      return;
    }
    const { slots, ends } = this.#o.reader.read(parsed);
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
      if (channel.local.refused) this.#taker.refuse();
    }
    this.#taker.take({ bytes, name, data: parsed, pieces: pieces ?? NO_PIECES, isChanged });
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
    if (local.refused) this.#taker.refuse();
    else if (this.#taker.passesAtOnce && local.isSettled) this.#taker.pass(bytes);
    else {
      const piece = { text, slot: undefined, channel, start, end: start + text.length };
      this.#taker.take({ bytes, name: undefined, data: undefined, pieces: [piece], isChanged: false });
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

  #set(event: HeldEvent, piece: Piece, text: string): void {
    const slot = this.#slotOf(event, piece);
    if (slot !== undefined && setText(slot, text)) event.isChanged = true;
  }

  /** The place of the words of an event that was recognised. */
  #slotOf(event: HeldEvent, piece: Piece): TextSlot | undefined {
    if (piece.slot !== undefined) return piece.slot;
    const { name, data = '' } = readEvent(event.bytes, 0, event.bytes.length);
    event.name = name;
    event.data = parseObject(data);
    piece.slot = event.data && this.#o.reader.read(event.data).slots[0];
    return piece.slot;
  }

  /** A text that an event repeats as a whole. */
  #wholeText(slot: TextSlot): boolean {
    const channel = this.#newChannel(slot.kind);
    const text = guardedText(textOf(slot), channel);
    if (channel.refused) this.#taker.refuse();
    return setText(slot, text);
  }

  #channelOf({ channel: name = '', kind }: TextSlot): StreamChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, local: this.#newChannel(kind), said: '', instead: undefined, asked: 0 };
      this.#channels.set(name, channel);
    }
    return channel;
  }

  #newChannel(kind: TextSlot['kind']): Channel {
    const { guarding, tally } = this.#o;
    return new Channel(kind, guarding.plan, guarding.session, tally);
  }

  #endChannels(prefix: string): void {
    for (const { name, local } of this.#channels.values()) {
      if (!name.startsWith(prefix)) continue;
      local.end();
      if (local.refused) this.#taker.refuse();
    }
  }
}

const NO_PIECES: readonly Piece[] = [];
/** In a JSON string: what stands for something else, or ends it. */
const UNPLAIN = /["\\\x00-\x1f]/;
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
