import type { JsonObject } from '../codec/json-value.ts';
import type { OrError } from '../core/exchange.ts';
import type { Usage } from '../inference/usage.ts';

/** What one message of a provider says of the turn that it belongs to. */
export interface Heard {
  /** The model begins to answer: a turn, which may have begun without a word of the client's. */
  readonly begins?: true;
  /** A piece of the answer. */
  readonly content?: true;
  /** What the turn used so far; a later one takes its place. */
  readonly usage?: Usage | undefined;
  /** The turn is over; or it is once its usage has come, which may follow in a message of its own. */
  readonly ends?: true | 'with its usage';
}

/** What one message of a client asks. */
export interface Said {
  /** The message as it goes on. */
  readonly bytes: Buffer;
  /** It asks for an answer of the model: a turn. */
  readonly asks?: true;
}

/** The names of the model of a session. */
export interface SessionModel {
  /** As the client named it. */
  readonly asked: string;
  /** `account/model`. */
  readonly target: string;
  /** As its provider names it. */
  readonly atProvider: string;
  /** Parameters that its target sets over those of the client; undefined: none. */
  readonly params?: JsonObject | undefined;
  /** The client speaks the form as it was before it was generally available. */
  readonly isBeta?: boolean;
}

/**
 * The messages of sessions, as one wire has them. They pass as they are; a form reads as little of them as tells turns,
 * usage and the name of the model.
 */
export interface RealtimeForm {
  /** The name of its wire. */
  readonly wire: string;
  /** The first message names the model: nothing is asked of a provider before it came. Absent: the address does. */
  modelOf?(first: Buffer): OrError<string>;
  said(bytes: Buffer, model: SessionModel): OrError<Said>;
  heard(bytes: Buffer): Heard;
  /** The messages before the first of the client; undefined: none. `config`: of the session, as its client wishes. */
  opening(model: SessionModel, config: JsonObject | undefined): Buffer | undefined;
  /** One of the parameters that sessions of this form do not have; undefined: they have them all. */
  refusedParam(params: JsonObject): string | undefined;
  /** A failure as a message; undefined: this form has none, and the end of the session says it. `told`: in OpenAI's words. */
  errorMessage(told: JsonObject): string | undefined;
}

export const NOTHING_HEARD: Heard = {};
