import { PeekKeys } from '../codec/peek-keys.ts';
import { topLevelValues } from '../codec/top-level-values.ts';
import { type ErrorCode, type ErrorContext, GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { AnswerContext, Dialect } from '../dialects/dialect.ts';
import type { InferenceEvent } from '../inference/event.ts';
import { addCounts, mergeUsage, type Usage } from '../inference/usage.ts';
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
  readonly parts: AnswerParts | undefined;
}

/** Where an answer was put together from those of several requests. */
export interface AnswerParts {
  /** How many inputs each of them but the last had. */
  readonly inputs: number;
  /** How many bytes of the answer each of them has. */
  readonly bytes: readonly number[];
}

export interface MadeAnswer {
  readonly body: Buffer;
  /** Its media type; undefined: JSON. */
  readonly contentType?: string | undefined;
  /** What the answer told, where its wire is another than the client's. */
  readonly usage: Usage | undefined;
}

/** What a provider says instead of an answer: `streamError` makes an error of it. */
export interface ToldFailure {
  readonly failure: unknown;
  /** The HTTP status that it stands for, where somebody knows. */
  readonly status: number | undefined;
  /** The part that failed, of a request that was asked in parts. */
  readonly part?: string;
}

/** Parsed and written anew: about 15 ms for a megabyte of numbers. */
export function makeAnswer({
  dialect,
  wire,
  context,
  answer,
  parts,
}: AnswerJob): MadeAnswer | ToldFailure | GatewayError {
  if (wire === undefined) {
    const { encoding } = context;
    const body = encoding === undefined ? answer : dialect.answers.vectors!.rewrite(answer, encoding);
    return body instanceof GatewayError ? body : { body, usage: undefined };
  }
  const events = parts === undefined ? eventsOf(answer, wire) : joinedEvents(answer, parts, wire);
  if (!isEvents(events)) return events;
  const made = dialect.translation!.fromInference(events, context);
  if (made instanceof GatewayError) return made;
  return { ...(Buffer.isBuffer(made) ? { body: made } : made), usage: usageOf(events) };
}

type Events = readonly InferenceEvent[];

function eventsOf(answer: Buffer, wire: Wire): Events | ToldFailure | GatewayError {
  const translation = wire.translation!;
  const failure = translation.readsErrors ? undefined : topLevelValues(answer, ERROR)?.['error'];
  if (failure) return { failure, status: undefined };
  const events = translation.fromResponse(answer);
  if (events instanceof GatewayError) return events;
  const told = events.find((event) => event.type === 'error');
  return told ? { failure: { type: told.errorType, message: told.message }, status: told.status } : events;
}

/** The vectors or images of all parts, vectors with their places in the whole, and one usage, where every part told its own. */
function joinedEvents(answer: Buffer, { inputs, bytes }: AnswerParts, wire: Wire): Events | ToldFailure | GatewayError {
  const joined: InferenceEvent[] = [];
  const usage: Usage = {};
  let untold = 0;
  let from = 0;
  for (const [part, length] of bytes.entries()) {
    const events = eventsOf(answer.subarray(from, from + length), wire);
    from += length;
    if (events instanceof GatewayError) return inPart(events, partOf(part, inputs));
    if (!isEvents(events)) return { ...events, part: partOf(part, inputs) };
    const own = usageOf(events);
    if (own === undefined) untold += 1;
    else addCounts(usage, own);
    for (const event of events) {
      if (event.type === 'embedding') joined.push({ ...event, index: event.index + part * inputs });
      else if (event.type === 'image') joined.push(event);
    }
  }
  if (untold === 0) joined.push({ type: 'usage', usage });
  return joined;
}

/** What the answer to one part told of its usage; undefined: nothing. An error: it is no answer. */
export function usageOfPart(answer: Buffer, wire: Wire): OrError<Usage | undefined> {
  const events = eventsOf(answer, wire);
  if (events instanceof GatewayError) return events;
  return isEvents(events) ? usageOf(events) : new GatewayError('upstream_protocol');
}

function isEvents(made: Events | ToldFailure | GatewayError): made is Events {
  return Array.isArray(made);
}

/** What a part of a split request holds, for an error; counted from 1, the last part may have fewer. */
export function partOf(part: number, size: number): string {
  return size === 1 ? `Input ${part + 1}` : `Inputs from ${part * size + 1} to ${(part + 1) * size}`;
}

/** The error of a part, saying which one it is. */
export function inPart(error: GatewayError, part: string): GatewayError {
  const { detail } = error.context;
  const said = detail === undefined ? `${part}.` : `${part}: ${detail}`;
  return new GatewayError(error.code, { ...error.context, detail: said });
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
  about: Pick<AnswerJob, 'dialect' | 'context' | 'parts'>,
  heavy: HeavyAnswers,
  abandoned: { readonly signal: AbortSignal },
): AnswerMaker {
  return (answer, wire, done) => {
    const job = { ...about, wire, answer };
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
  readonly parts: AnswerParts | undefined;
}

/** An error crosses as what it is made of. */
export type MakeAnswerOutput =
  | { readonly body: Uint8Array; readonly contentType?: string | undefined; readonly usage: Usage | undefined }
  | ToldFailure
  | { readonly code: ErrorCode; readonly context: ErrorContext };

export const makeAnswerTask: Task<MakeAnswerInput, MakeAnswerOutput> = { name: 'make-answer' };
