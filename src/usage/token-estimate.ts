import type { Usage } from '../inference/usage.ts';
import type { WorkerPool } from '../offload/worker-pool.ts';
import { type EstimateInput, estimateTokensTask } from './estimate-task.ts';
import { type Prompt, promptOf } from './prompt.ts';

export interface EstimateRequest {
  /** Names of the API forms of the request and of the answer as the provider sent it. */
  readonly promptForm: string;
  readonly answerForm: string;
  /** Read before this returns. */
  readonly prompt: Prompt;
  /** The first bytes of the answer as the provider sent them. */
  readonly outputSample: Buffer;
  readonly outputTotalBytes: number;
  /** Chooses the vocabulary. */
  readonly model: string;
}

/** A body up to this size is carried to the worker whole, of a larger one as much from both ends together. */
const MAX_CARRIED_BYTES = 1024 * 1024;

/** Estimates that wait for the pool: 64 MiB of bodies; beyond that usage stays unknown. */
const MAX_QUEUED = 64;
const DEADLINE_MS = 5000;

/** Token estimates, counted in the task pool. */
export class TokenEstimates {
  readonly #pool: WorkerPool;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  /**
   * What an exchange probably used, where its provider did not say; undefined where nothing can be said. Bounded: long
   * prompts are counted in samples and scaled, the answer is scaled from its first bytes, and an estimate that takes
   * longer than five seconds is given up.
   */
  estimate(request: EstimateRequest): Promise<Usage | undefined> {
    const estimate = runEstimate(this.#pool, request);
    this.#pending.add(estimate);
    const settled = () => this.#pending.delete(estimate);
    estimate.then(settled, settled);
    return estimate;
  }

  /** When the estimates under way are done: records wait for them. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }
}

async function runEstimate(pool: WorkerPool, request: EstimateRequest): Promise<Usage | undefined> {
  const input = toInput(request);
  const transfer = [input.head, input.tail, input.outputSample].flatMap((bytes) => (bytes ? [bytes.buffer] : []));
  const result = await pool.run(estimateTokensTask, input, {
    transfer,
    deadlineMs: DEADLINE_MS,
    maxQueued: MAX_QUEUED,
  });
  if ('failure' in result) return undefined;
  const { inputTokens, outputTokens } = result.value;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return { ...(inputTokens !== undefined && { inputTokens }), ...(outputTokens !== undefined && { outputTokens }) };
}

/** Every piece is copied into memory of its own, so that it can be transferred. */
function toInput({ promptForm, answerForm, prompt, outputSample, outputTotalBytes, model }: EstimateRequest) {
  const { head, tail, bytes } = prompt.tail ? prompt : promptOf(prompt.head, MAX_CARRIED_BYTES);
  return {
    promptForm,
    answerForm,
    head: new Uint8Array(head),
    tail: tail && new Uint8Array(tail),
    bodyBytes: bytes,
    outputSample: new Uint8Array(outputSample),
    outputTotalBytes,
    model,
  } satisfies EstimateInput;
}
