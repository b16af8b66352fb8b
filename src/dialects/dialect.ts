import type { GatewayError } from '../core/errors.ts';
import type { BodyScan, OrError } from '../core/exchange.ts';
import type { InferenceEvent } from '../inference/event.ts';
import type { InferenceRequest } from '../inference/request.ts';
import type { AnswerText, PromptText } from '../inference/sampled-text.ts';
import type { Usage } from '../inference/usage.ts';
import type { AnswerContext, AnswerForm } from './answer-form.ts';

export type { AnswerContext };

/**
 * What is to be known of one API form whoever speaks it, client or provider. Pure: bytes in, values or bytes out. A
 * provider's wire of the same name speaks this form: then bytes pass and nothing is translated.
 */
export interface ApiForm {
  readonly name: 'openai-chat' | 'anthropic-messages';
  /** How its answers are read while they pass. */
  readonly answers: AnswerForm;
  /** The words of a parsed request. */
  promptText(body: unknown): PromptText;
  /** The words in the first bytes of an answer; undefined: they show none. */
  answerText(sample: Buffer, totalBytes: number): AnswerText | undefined;
  /** The error body before the commit point, and the event after it, which stands alone and ends what an SDK reads. */
  errorBody(error: GatewayError): Buffer;
  errorEvent(error: GatewayError): Buffer;
}

/** What one client-facing API form knows beyond that: requests, and what translation needs. */
export interface Dialect extends ApiForm {
  /** What a model must be able to do to be asked this. */
  readonly modelType: 'chat';
  /** Route paths it serves (POST), without base path. */
  readonly paths: readonly string[];
  /** A new scan for one request body: what a provider of the same wire needs to know, found without parsing. */
  scan(): RequestScan;
  /** The passthrough body for one target: model replaced, usage asked for where `askUsage`. */
  splice(body: Buffer, peeked: PeekedRequest, modelId: string, askUsage: boolean): Buffer | Buffer[];
  /** The whole request parsed, for a translation. `model` is what the provider shall read. */
  toInference(body: Buffer, model: string): OrError<InferenceRequest>;
  /** A whole answer from the neutral events. */
  fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer>;
  /** A streamed answer: one writer per exchange. */
  eventWriter(context: AnswerContext): EventWriter;
  /** Follows a streamed answer, so that it can be ended before its provider does: one follower per attempt. */
  followStream(context: AnswerContext): StreamFollower;
}

export interface RequestScan extends BodyScan {
  /** Once the whole body was seen. */
  result(body: Buffer): OrError<PeekedRequest>;
}

export interface PeekedRequest {
  model: string;
  /** Where the JSON string of `model` stands in the body, quotes included. */
  modelStart: number;
  modelEnd: number;
  stream: boolean;
  /** The client itself asked for usage in its stream. */
  includeUsage: boolean;
  /** Where the value of `stream_options` stands; -1 where it is absent. */
  streamOptionsStart: number;
  streamOptionsEnd: number;
  /** The larger of max_completion_tokens and max_tokens, for one choice; undefined where absent. */
  maxOutputTokens: number | undefined;
  /** How many answers are asked for at once (`n`): 1 where nothing is said. */
  choices: number;
}

export interface EventWriter {
  /** Bytes for one neutral event; undefined where the dialect has none for it. */
  write(event: InferenceEvent): Buffer | undefined;
  /** The dialect's own end (`data: [DONE]`). */
  end(): Buffer;
}

/** Reads the events that a client gets, one after another, whole. */
export interface StreamFollower {
  /** Output tokens of the answer with this event in it, as far as can be told; never falls. */
  read(event: Buffer): number;
  /** The answer was finished by the events that were read: cutting it would save nothing. */
  readonly finished: boolean;
  /** What makes a whole answer, ended for its length, of all events but the one that was read last. */
  ending(usage: Usage): Buffer;
}
