import { EventEnds } from '../codec/event-cutter.ts';
import { parseObject } from '../codec/json-value.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import { readEvent } from '../codec/sse-event.ts';
import type { GuardedStream as FormStream, TextSlot } from '../dialects/guarded-form.ts';
import { Channel, guardedText } from './channel.ts';
import { FamiliarText } from './familiar-text.ts';
import type { OutputGuarding } from './guarded-answer.ts';
import type { HeldEvent, Piece, StreamChannel, WholeText } from './held-event.ts';
import { setText, textOf } from './local-guarding.ts';
import type { LocalTally } from './session.ts';

/** The receiver of the events that are read. */
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
  /** `all`: others ask for all that is said; `beginning`: for the record alone, and no more than may be held of an answer. */
  readonly keeps: 'all' | 'beginning' | 'nothing';
}

/** Reads a stream event by event: which words each brings, and to which text they belong. Local guards see them here. */
export class EventWords {
  readonly #o: EventWordsOptions;
  readonly #taker: EventTaker;
  readonly #channels = new Map<string, StreamChannel>();
  /** Texts that an event brought as a whole, and that nothing said before. */
  readonly #wholes: StreamChannel[] = [];
  /** UTF-16 units. */
  #kept = 0;
  readonly #familiar = new FamiliarText();
  /** The channel of the event that is familiar. */
  #familiarChannel: StreamChannel | undefined;
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
    return [...this.#channels.values(), ...this.#wholes];
  }

  /** Offset behind the events at the beginning of what came that are read already, and stay as they are. */
  skim(read: Buffer): number {
    if (this.#partial.length > 0 || this.#familiarChannel === undefined) return 0;
    const { local } = this.#familiarChannel;
    const familiar = this.#familiar;
    const isMessage = this.#o.guarding.framing === 'message';
    let behind = 0;
    while (behind < read.length) {
      const end = familiar.match(read, behind);
      if (end < 0 || (isMessage && end < read.length)) break;
      if (!local.skims(read, familiar.textStart, familiar.textEnd)) break;
      behind = end;
    }
    return behind;
  }

  write(read: Buffer): void {
    if (this.#o.guarding.framing === 'message') {
      if (this.#familiar.match(read, 0) === read.length) this.#familiarEvent(read, 0, read.length);
      else this.#event(read);
      return;
    }
    let bytes = read;
    if (this.#partial.length > 0) {
      this.#partial.append(read);
      bytes = this.#partial.take(this.#partial.length);
    }
    this.#ends.begin(bytes);
    for (let start = 0; start < bytes.length && !this.#taker.isOver; ) {
      const familiar = this.#familiar.match(bytes, start);
      if (familiar >= 0) {
        this.#familiarEvent(bytes, start, familiar);
        start = familiar;
        continue;
      }
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
      if (texts === 'kept' && this.#mayKeep(text)) channel.said += text;
      if (text !== piece.text) this.#set(event, piece, text);
    }
    if (texts === 'kept') for (const whole of event.wholes) whole.channel = this.#saidBefore(whole);
  }

  #mayKeep(text: string): boolean {
    const { keeps, guarding } = this.#o;
    if (keeps === 'beginning' && this.#kept + text.length > guarding.maxHeldBytes) return false;
    this.#kept += text.length;
    return true;
  }

  /** Its words as the guards of the whole answer made them: all of a channel stands in its first event. */
  applyWhole(event: HeldEvent): void {
    for (const piece of event.pieces) {
      const { said, instead } = piece.channel;
      if (instead !== undefined && instead !== said) this.#set(event, piece, piece.start === 0 ? instead : '');
    }
    for (const { slot, text, channel } of event.wholes)
      if (setText(slot, channel?.instead ?? text)) event.isChanged = true;
  }

  #event(bytes: Buffer): void {
    if (this.#o.reader.skips?.(bytes)) {
      this.#taker.take({
        bytes,
        name: undefined,
        data: undefined,
        pieces: NO_PIECES,
        wholes: NO_WHOLES,
        isChanged: false,
      });
      return;
    }
    const { name, data } = this.#read(bytes);
    const parsed = data === undefined || data === '[DONE]' ? undefined : parseObject(data);
    if (parsed === undefined) {
      this.#taker.take({ bytes, name, data: undefined, pieces: NO_PIECES, wholes: NO_WHOLES, isChanged: false });
      return;
    }
    const { slots, ends, meaningless = NOTHING, isStripped = false } = this.#o.reader.read(parsed);
    let pieces: Piece[] | undefined;
    let wholes: WholeText[] | undefined;
    let isChanged = isStripped;
    for (const slot of slots) {
      if (slot.channel === undefined) {
        const local = this.#newChannel(slot.kind);
        const text = guardedText(textOf(slot), local);
        if (local.refused) this.#taker.refuse();
        isChanged = setText(slot, text) || isChanged;
        if (this.#o.keeps === 'nothing') continue;
        wholes ??= [];
        wholes.push({ slot, text, local, channel: undefined });
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
    const said = { pieces: pieces ?? NO_PIECES, wholes: wholes ?? NO_WHOLES };
    this.#taker.take({ bytes, name, data: parsed, ...said, isChanged });
    // What it brings as a whole beside its words was passed, and is the same in events that are alike.
    if (pieces?.length === 1 && wholes === undefined && !isChanged && ends.length === 0) {
      this.#familiar.learn(bytes, pieces[0]!.text, meaningless);
      this.#familiarChannel = pieces[0]!.channel;
    }
    for (const prefix of ends) this.#endChannels(prefix);
  }

  /** The event in bytes[start, end), whose words alone are new. */
  #familiarEvent(bytes: Buffer, from: number, to: number): void {
    const channel = this.#familiarChannel!;
    const text = bytes.toString('utf8', this.#familiar.textStart, this.#familiar.textEnd);
    const { local } = channel;
    const start = local.length;
    local.push(text);
    if (local.refused) {
      this.#taker.refuse();
      return;
    }
    const event = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
    if (this.#taker.passesAtOnce && local.isSettled) {
      this.#taker.pass(event);
      return;
    }
    const piece = { text, slot: undefined, channel, start, end: start + text.length };
    const plain = { name: undefined, data: undefined, wholes: NO_WHOLES, isChanged: false };
    this.#taker.take({ bytes: event, pieces: [piece], ...plain });
  }

  #read(bytes: Buffer): { readonly name: string | undefined; readonly data: string | undefined } {
    if (this.#o.guarding.framing === 'message') return { name: undefined, data: bytes.toString() };
    return readEvent(bytes, 0, bytes.length);
  }

  #set(event: HeldEvent, piece: Piece, text: string): void {
    const slot = this.#slotOf(event, piece);
    if (slot !== undefined && setText(slot, text)) event.isChanged = true;
  }

  /** The place of the words of an event that was recognised. */
  #slotOf(event: HeldEvent, piece: Piece): TextSlot | undefined {
    if (piece.slot !== undefined) return piece.slot;
    const { name, data = '' } = this.#read(event.bytes);
    event.name = name;
    event.data = parseObject(data);
    piece.slot = event.data && this.#o.reader.read(event.data).slots.find(({ channel }) => channel !== undefined);
    return piece.slot;
  }

  /** The text that it repeats; else it is one of its own, which nobody was asked about. */
  #saidBefore({ text, local }: WholeText): StreamChannel {
    for (const channel of this.channels) {
      const { said, before } = channel;
      const isAsLong = before !== undefined && before.length + said.length === text.length;
      if (isAsLong && text.endsWith(said) && text.startsWith(before)) return channel;
    }
    const own = { name: '', local, said: text, before: '', instead: undefined, asked: 0 };
    if (this.#mayKeep(text)) this.#wholes.push(own);
    return own;
  }

  #channelOf({ channel: name = '', kind }: TextSlot): StreamChannel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, local: this.#newChannel(kind), said: '', before: '', instead: undefined, asked: 0 };
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
const NO_WHOLES: readonly WholeText[] = [];
const NOTHING = {};
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
