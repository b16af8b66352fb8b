import { PeekKeys } from '../codec/peek-keys.ts';
import { topLevelValues } from '../codec/top-level-values.ts';
import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerContext, Dialect } from '../dialects/dialect.ts';
import type { InferenceEvent } from '../inference/event.ts';
import { mergeUsage, type Usage } from '../inference/usage.ts';
import type { Task } from '../offload/tasks.ts';
import type { Wire } from '../providers/provider.ts';

const ERROR = new PeekKeys(['error']);
/** A whole answer up to here is changed on the relay thread: below the 5 ms that a neighbour may feel. */
export const INLINE_ANSWER_BYTES = 262_144;

/** One whole answer, to be written as the client asked for it. */
export interface AnswerJob {
  readonly dialect: Dialect;
  /** The provider's form; undefined: it is the client's, and only its vectors are written otherwise. */
  readonly wire: Wire | undefined;
  readonly context: AnswerContext;
  readonly answer: Buffer;
}

export interface MadeAnswer {
  readonly body: Buffer;
  /** What the answer told, where its wire is another than the client's. */
  readonly usage: Usage | undefined;
}

/** What a provider says instead of an answer: `streamError` makes an error of it. */
export interface ToldFailure {
  readonly failure: unknown;
  /** The HTTP status that it stands for, where somebody knows. */
  readonly status: number | undefined;
}

/** Parsed and written anew: about 15 ms for a megabyte of numbers. */
export function makeAnswer({ dialect, wire, context, answer }: AnswerJob): MadeAnswer | ToldFailure | GatewayError {
  if (wire === undefined) {
    const { encoding } = context;
    const body = encoding === undefined ? answer : dialect.answers.vectors!.rewrite(answer, encoding);
    return body instanceof GatewayError ? body : { body, usage: undefined };
  }
  const failure = topLevelValues(answer, ERROR)?.['error'];
  if (failure) return { failure, status: undefined };
  const events = wire.translation!.fromResponse(answer);
  if (events instanceof GatewayError) return events;
  const told = events.find((event) => event.type === 'error');
  if (told) return { failure: { type: told.errorType, message: told.message }, status: told.status };
  const body = dialect.translation!.fromInference(events, context);
  return body instanceof GatewayError ? body : { body, usage: usageOf(events) };
}

function usageOf(events: readonly InferenceEvent[]): Usage | undefined {
  let usage: Usage | undefined;
  for (const event of events) {
    if (event.type !== 'usage') continue;
    usage ??= {};
    mergeUsage(usage, event.usage);
  }
  return usage;
}

/** The same, away from the event loop. */
export type HeavyAnswers = (job: AnswerJob, abandoned: AbortSignal) => Promise<OrError<MadeAnswer | ToldFailure>>;

/**
 * Makes the client's answer of the provider's and calls back once: within the call where the answer is small, later where
 * it is large, and never once nobody waits for it.
 */
export type AnswerMaker = (
  answer: Buffer,
  wire: Wire | undefined,
  done: (made: OrError<MadeAnswer | ToldFailure>) => void,
) => void;

export function answerMaker(
  dialect: Dialect,
  context: AnswerContext,
  heavy: HeavyAnswers,
  abandoned: { readonly signal: AbortSignal },
): AnswerMaker {
  return (answer, wire, done) => {
    const job = { dialect, wire, context, answer };
    if (answer.length <= INLINE_ANSWER_BYTES) {
      done(makeAnswer(job));
      return;
    }
    const { signal } = abandoned;
    heavy(job, signal)
      .catch((cause) => new GatewayError('internal_error', { cause }))
      .then((made) => {
        if (!signal.aborted) done(made);
      });
  };
}

export interface MakeAnswerInput {
  readonly dialect: string;
  readonly wire: string | undefined;
  readonly context: AnswerContext;
  readonly answer: Uint8Array;
}

/** An error crosses as what it is made of. */
export type MakeAnswerOutput =
  | { readonly body: Uint8Array; readonly usage: Usage | undefined }
  | ToldFailure
  | { readonly code: ErrorCode; readonly context: ErrorContext };

export const makeAnswerTask: Task<MakeAnswerInput, MakeAnswerOutput> = { name: 'make-answer' };
