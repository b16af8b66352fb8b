import type { JsonObject } from '../codec/json-value.ts';
import type { TextSlot } from '../dialects/guarded-form.ts';
import type { Channel } from './channel.ts';

/** How events come: as server-sent events in bytes that are cut anywhere, or each as a message that is JSON. */
export type Framing = 'sse' | 'message';

/** One text of a stream, as its events go on with it. */
export interface StreamChannel {
  readonly name: string;
  readonly local: Channel;
  /** What it says after local guards, where others ask for all of it; of windows the last of it alone. */
  said: string;
  /** What it said before that, by which a text that repeats all of it is known; undefined: it is too long to be kept. */
  before: string | undefined;
  /** What they made of it, before any of it was let go. */
  instead: string | undefined;
  /** How much of `said` was asked about in a window before. */
  asked: number;
}

/** A stretch of a channel that one event brings. */
export interface Piece {
  /** As it came. */
  readonly text: string;
  /** Undefined: its event was recognised, and is parsed where it is changed. */
  slot: TextSlot | undefined;
  readonly channel: StreamChannel;
  readonly start: number;
  readonly end: number;
}

/** A text that an event brings as a whole. */
export interface WholeText {
  readonly slot: TextSlot;
  /** As local guards left it. */
  readonly text: string;
  readonly local: Channel;
  /** The text that it repeats, or one of its own; known once all events before it are decided. */
  channel: StreamChannel | undefined;
}

/** An event that waits until nothing in it can be part of something that is found later. */
export interface HeldEvent {
  readonly bytes: Buffer;
  name: string | undefined;
  /** Undefined: it has no words, or was not parsed. */
  data: JsonObject | undefined;
  readonly pieces: readonly Piece[];
  /** Where others ask for all that is said. */
  readonly wholes: readonly WholeText[];
  /** Its words are not those that came. */
  isChanged: boolean;
}

export function isDecided({ pieces }: HeldEvent): boolean {
  for (const { channel, end } of pieces) if (channel.local.decided < end) return false;
  return true;
}

export function bytesOf({ name, data, bytes, isChanged }: HeldEvent, framing: Framing): Buffer {
  if (!isChanged) return bytes;
  if (framing === 'message') return Buffer.from(JSON.stringify(data));
  const field = name === undefined ? '' : `event: ${name}\n`;
  return Buffer.from(`${field}data: ${JSON.stringify(data)}\n\n`);
}
