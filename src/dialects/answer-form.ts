import type { Familiar } from '../codec/familiar-event.ts';
import type { JsonObject } from '../codec/json-value.ts';
import type { KnownEvents } from '../codec/known-events.ts';
import type { OrError } from '../core/exchange.ts';

/**
 * How the answers of one API form are read while they pass to a client that speaks the same form. Pure: bytes in, what
 * they say out; nothing of the content is kept.
 */
export interface AnswerForm {
  /**
   * `any`: a whole answer is bytes of whatever media type its provider says, passed on as they come. Absent: it is JSON.
   */
  readonly media?: 'any';
  /** A new reader for one stream. Absent: this form has no streams. */
  stream?(expected: ExpectedStream, told: UsageListener): StreamReader;
  /** What a whole answer says beside its content; undefined: it is not one whole JSON object. */
  whole(answer: Buffer): AnswerFacts | undefined;
  /** What the first or the last bytes of a large answer say, whose rest is not kept. */
  beginning(bytes: Buffer): AnswerFacts | undefined;
  end(bytes: Buffer): AnswerFacts | undefined;
  /**
   * A whole answer as the events of this form, its own end included, for a client that asked for a stream. Absent: this
   * form has no such way.
   */
  toEvents?(answer: Buffer, context: AnswerContext): OrError<Buffer>;
  /**
   * Bytes of whatever media type as the events of this form, piece by piece as they come, for a client that asked for a
   * stream: one writer per answer. Absent: they become events when they are whole.
   */
  eventsOfBytes?(): ByteEventWriter;
  /** A whole stream as one answer, for a client that asked for none; absent: this form has no such way. */
  toWhole?(events: Buffer): OrError<Buffer>;
  /** How answers hold vectors. Absent: this form has none. */
  readonly vectors?: VectorForm;
}

export interface ByteEventWriter {
  /** Undefined: too few came yet for an event. */
  write(bytes: Buffer): Buffer | undefined;
  /** What was held back, and the form's own end. */
  end(): Buffer;
}

/** Vectors in answers: some providers know one way of writing them, whatever they are asked for. */
export interface VectorForm {
  /** How they are written in an answer that begins so; undefined: the beginning shows none. */
  written(beginning: Buffer): VectorEncoding | undefined;
  /** The whole answer with its vectors written so; everything else in it stays. */
  rewrite(answer: Buffer, encoding: VectorEncoding): OrError<Buffer>;
}

/** How vectors are written: lists of numbers, or base64 of 32-bit floats, lowest byte first. */
export type VectorEncoding = 'float' | 'base64';

/** What an answer is given that its provider did not give it. */
export interface AnswerContext {
  exchangeId: string;
  /** `account/model` to name where the provider named none. */
  model: string;
  includeUsage: boolean;
  /** Seconds since the Unix epoch. */
  created: number;
  /** `x-tfy-strict-openai`: nothing that the form itself does not have. */
  strict?: boolean;
  /** How vectors are to be written; undefined: there are none, or in a way that only the provider knows. */
  encoding?: VectorEncoding | undefined;
  /** No more results than these, of a list that is ordered by how good they are; undefined: all. */
  maxResults?: number | undefined;
  /** `response_format`, as the client wrote it; undefined: not said, or of no account. */
  format?: string | undefined;
  /** What of the request the answer repeats, in a form whose answers do. */
  repeats?: JsonObject | undefined;
}

/** What was asked for. */
export interface ExpectedStream {
  /** How many answers at once: each must have its finish reason. */
  readonly choices: number;
  /** Whether the event that only tells usage is for the client, or was asked for by the gateway and is taken out. */
  readonly usageEvent: 'keep' | 'take-out';
  /** What the target's earlier streams taught; absent: nothing is remembered behind the end of the stream. */
  readonly lessons?: StreamLessons;
}

/** What a stream has in common with those that its target sent before. */
export interface StreamLessons {
  /** An event with a text and nothing else; undefined: none came yet. */
  familiar: Familiar | undefined;
  /** Those that come once in a stream; undefined: none came yet, or their form remembers none. */
  known: KnownEvents | undefined;
}

/**
 * Hears of every part of an answer that might tell usage, in order: the usage object in its usual place, and the whole
 * event, or the small values of the answer, that it stood in. Both are good until the call returns.
 */
export type UsageListener = (usage: unknown, answer: JsonObject) => void;

export interface AnswerFacts {
  /** The usage object in its usual place; undefined: there is none. */
  readonly usage: unknown;
  /** Small values of the answer by their keys, the usage among them. */
  readonly answer: JsonObject;
  /** What the provider says instead of an answer, as it says it; undefined: it does not fail. */
  readonly error: unknown;
}

/** No client reads a stream whose events are no JSON, and to find that out costs more than to read one that is. */
export const MAX_UNREADABLE_EVENTS = 16;
export const NOT_JSON = { message: 'Its events are not JSON.' };

/**
 * Follows one stream of this form. `read` is called once for each read of the connection, with bytes that are whole
 * events; what it found stands in the fields until the next call. After `ended` or `error` it is not called again.
 */
export interface StreamReader {
  read(events: Buffer): void;
  /**
   * Events with content: a delta with text, reasoning, a refusal, audio, an image or a tool call. A role, a ping, a
   * comment, an empty delta, a usage or an error is none.
   */
  readonly content: number;
  /** Offset up to which the events are the client's: behind the form's own end, in front of an error, else all. */
  readonly passed: number;
  /** The changes in front of that offset, in order. */
  readonly edits: readonly EventEdit[];
  /** What the provider says has failed, as it says it; undefined: nothing. */
  readonly error: unknown;
  /** The form's own end was seen: the answer is whole, whatever the connection does. */
  readonly ended: boolean;
  /** Every choice has its finish reason: the answer is whole if HTTP now ends cleanly. */
  readonly finished: boolean;
}

/** The bytes [start, end) are left out, or replaced. */
export interface EventEdit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer | undefined;
}
