import { type LikeAnswers, searchVectorsTask, type VectorSearch } from '../cache/shared-vectors.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { checkTextsTask, type Elsewhere, scanTextsTask } from '../guardrails/elsewhere.ts';
import type { Usage } from '../inference/usage.ts';
import type { Task } from '../offload/tasks.ts';
import { WorkerPool } from '../offload/worker-pool.ts';
import type { TranslationTarget, Wire } from '../providers/provider.ts';
import { type AnswerJob, type MadeAnswer, makeAnswerTask, type ToldFailure } from '../relay/answer-translation.ts';
import {
  type TranslatableRequest,
  type TranslatedRequest,
  translateRequestTask,
} from '../relay/request-translation.ts';
import { threadEntry } from '../threads/thread-entry.ts';
import { type EstimateRequest, TokenEstimates } from '../usage/token-estimate.ts';

/** A translated request of 32 MB in the smallest of values takes about 10 seconds. */
const TRANSLATION_DEADLINE_MS = 30_000;
/** Each queued task holds a copy of a body, beside what limits.max_body_memory_bytes counts. */
const MAX_QUEUED_TRANSLATIONS = 8;
/** A search over 64 MB of vectors takes about 20 ms; the first one waits for its thread. */
const SEARCH_DEADLINE_MS = 1_000;
const MAX_QUEUED_SEARCHES = 64;
/** All recognisers read a megabyte in about 0.2 seconds; those that a thread has not compiled take as long again. */
const GUARD_DEADLINE_MS = 30_000;
const MAX_QUEUED_GUARDS = 16;
/** The vocabulary of an estimate takes 80 MB, the values of a large translated request up to 1.5 GB. */
const MAX_HEAP_MB = 2048;
/** A long translation must not make estimates wait beyond their deadline. */
const MAX_THREADS = 2;

/**
 * The one task pool of a relay thread, for heavy work of every kind. The first task starts its threads, and ten idle
 * seconds end them. Each kind of work has its own bound of waiting tasks and its own deadline.
 */
export class TaskPool {
  readonly #pool = new WorkerPool({
    entry: threadEntry('relay-thread/task-worker'),
    maxThreads: MAX_THREADS,
    maxHeapMb: MAX_HEAP_MB,
  });
  readonly #estimates = new TokenEstimates(this.#pool);

  /** See `TokenEstimates.estimate`. */
  readonly estimate = (request: EstimateRequest): Promise<Usage | undefined> => this.#estimates.estimate(request);

  /** Translates a large request in the pool. The body is copied, because another target may need it again. */
  readonly translateHeavy = async (
    dialect: Dialect,
    wire: Wire,
    target: TranslationTarget,
    { body, cacheMarker, media }: TranslatableRequest,
    signal: AbortSignal,
  ): Promise<OrError<TranslatedRequest>> => {
    const copy = new Uint8Array(body);
    const input = { dialect: dialect.name, wire: wire.name, target, body: copy, cacheMarker, media };
    const made = await this.#translate(translateRequestTask, input, copy.buffer, signal, 'a request');
    if (made instanceof GatewayError) return made;
    if ('code' in made) return new GatewayError(made.code, made.context);
    const { headers, path, more, partInputs } = made;
    return { body: bufferOf(made.body), headers, path, more: more?.map(bufferOf), partInputs };
  };

  /** Writes a large whole answer anew in the pool. It is copied, since its bytes may be needed for an estimate. */
  readonly heavyAnswers = async (job: AnswerJob, signal: AbortSignal): Promise<OrError<MadeAnswer | ToldFailure>> => {
    const copy = new Uint8Array(job.answer);
    const { dialect, wire, context, parts } = job;
    const input = { dialect: dialect.name, wire: wire?.name, context, answer: copy, parts };
    const made = await this.#translate(makeAnswerTask, input, copy.buffer, signal, 'an answer');
    if (made instanceof GatewayError) return made;
    if ('code' in made) return new GatewayError(made.code, made.context);
    return 'failure' in made ? made : { ...made, body: bufferOf(made.body) };
  };

  /** `copy`: the bytes of `input`, which go to the thread that translates. `what` is translated, for the error. */
  async #translate<Input, Output>(
    task: Task<Input, Output>,
    input: Input,
    copy: ArrayBuffer,
    abandoned: AbortSignal,
    what: string,
  ): Promise<OrError<Output>> {
    const result = await this.#pool.run(task, input, {
      transfer: [copy],
      abandoned,
      deadlineMs: TRANSLATION_DEADLINE_MS,
      maxQueued: MAX_QUEUED_TRANSLATIONS,
    });
    if (!('failure' in result)) return result.value;
    return new GatewayError('overloaded', {
      detail: `Translating ${what} this large did not succeed (${result.failure}).`,
      cause: result.cause,
      retryAfterMs: 1000,
    });
  }

  /** Over many vectors. Undefined: it could not be done in time. */
  readonly searchVectors = async (search: VectorSearch): Promise<LikeAnswers | undefined> => {
    const bounds = { deadlineMs: SEARCH_DEADLINE_MS, maxQueued: MAX_QUEUED_SEARCHES };
    const result = await this.#pool.run(searchVectorsTask, search, bounds);
    return 'failure' in result ? undefined : result.value;
  };

  /** Local guards on long texts. */
  readonly guards: Elsewhere = {
    scan: (job) => this.#guard(scanTextsTask, job),
    check: (job) => this.#guard(checkTextsTask, job),
  };

  async #guard<Job, Answer>(task: Task<Job, Answer>, job: Job): Promise<Answer | string> {
    const bounds = { deadlineMs: GUARD_DEADLINE_MS, maxQueued: MAX_QUEUED_GUARDS };
    const result = await this.#pool.run(task, job, bounds);
    return 'failure' in result ? `a text this long could not be read (${result.failure})` : result.value;
  }

  /** Waits for the tasks under way (their deadlines bound it), then ends the thread. */
  async close(): Promise<void> {
    await this.#estimates.settled();
    await this.#pool.close();
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
