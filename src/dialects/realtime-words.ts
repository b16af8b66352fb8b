import type { JsonObject } from '../codec/json-value.ts';
import type { GuardedEvent, TextSlot } from './guarded-form.ts';

/** Where a message of a provider belongs. */
export interface HeardPlace {
  /** It begins, continues or ends an answer, or repeats an item of one behind it; absent: it is part of none. */
  readonly answer?: 'begins' | 'goes on' | 'ends' | 'item';
  /** The answer that it begins or ends; absent: the form names none. */
  readonly id?: string | undefined;
  /** The item whose transcript it tells, which comes beside answers; absent: it tells none. */
  readonly transcript?: string;
  /** That transcript is whole. */
  readonly isWhole?: boolean;
}

/** Where words stand in the messages of realtime sessions, as one form has them. Slots are of the very objects handed in. */
export interface RealtimeWords {
  /** Whether a client's message certainly holds no words; told without parsing it. */
  isQuiet(said: Buffer): boolean;
  said(message: JsonObject): TextSlot[];
  /** The same of a provider's message. */
  tellsNothing(heard: Buffer): boolean;
  heard(message: JsonObject): GuardedEvent;
  placeOf(heard: Buffer): HeardPlace;
  /** The id of the answer that a message continues; undefined: it names none. */
  answerOf(heard: Buffer): string | undefined;
  /** What stops an answer at its provider; undefined: the form has nothing for it. */
  cancel(id: string | undefined): string | undefined;
  /** The end of an answer that guards refused, as its client gets it: without its words. */
  emptied(end: Buffer): Buffer;
}

export const NO_PLACE: HeardPlace = {};

const BACKSLASH = 0x5c;

/** Whether no string of a message is written with escapes: a key stands in it as it is, or not at all. */
export function isUnescaped(message: Buffer): boolean {
  return message.indexOf(BACKSLASH) < 0;
}
