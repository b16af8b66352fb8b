import type { JsonObject } from '../codec/json-value.ts';
import type { TextSlot } from '../dialects/guarded-form.ts';
import type { Channel } from './channel.ts';

/** One text of a stream, as its events go on with it. */
export interface StreamChannel {
  readonly name: string;
  readonly local: Channel;
  /** What it says after local guards, where others ask for all of it. */
  said: string;
  /** What they made of it, before any of it was let go. */
  instead: string | undefined;
  /** Of `said`: what was asked about in a window before. */
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

/** An event that waits until nothing in it can be part of something that is found later. */
export interface HeldEvent {
  readonly bytes: Buffer;
  name: string | undefined;
  /** Undefined: it has no words, or was not parsed. */
  data: JsonObject | undefined;
  readonly pieces: readonly Piece[];
  /** Its words are not those that came. */
  isChanged: boolean;
}

export function isDecided({ pieces }: HeldEvent): boolean {
  for (const { channel, end } of pieces) if (channel.local.decided < end) return false;
  return true;
}

export function bytesOf({ name, data, bytes, isChanged }: HeldEvent): Buffer {
  if (!isChanged) return bytes;
  const field = name === undefined ? '' : `event: ${name}\n`;
  return Buffer.from(`${field}data: ${JSON.stringify(data)}\n\n`);
}
