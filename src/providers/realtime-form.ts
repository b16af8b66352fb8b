import type { JsonObject } from '../codec/json-value.ts';
import type { OrError } from '../core/exchange.ts';
import type { ModelType } from '../inference/operation.ts';
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
  /** The model that transcribes beside that of the session from now on; null: none does. */
  readonly transcriber?: string | null;
  /** What it says of a transcript beside the answers, as of a turn of that model. */
  readonly transcript?: Omit<Heard, 'transcriber' | 'transcript'>;
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
  /** The provider's name of a model that is to transcribe beside that of the session; an error: it may not. Absent: none may. */
  transcriber?(name: string): OrError<string>;
}

/**
 * The messages of sessions, as one wire has them. They pass as they are; a form reads as little of them as tells turns,
 * usage and the name of the model.
 */
export interface RealtimeForm {
  /** The name of its wire. */
  readonly wire: string;
  /** Types of models that have such sessions. */
  readonly modelTypes: readonly ModelType[];
  /** The first message names the model: nothing is asked of a provider before it came. Absent: the address does. */
  modelOf?(first: Buffer): OrError<string>;
  /** The address may name it as well, and then its first message need not. */
  readonly isAddressed?: true;
  /** Where the settings of a session name the model. */
  modelIn(session: JsonObject): { readonly param: string; readonly model: string | undefined };
  /** The path of a provider for sessions of this form; absent: as its mount has it. */
  address?(path: string): string;
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
