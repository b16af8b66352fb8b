import type { Usage } from '../inference/usage.ts';
import { WorkerPool } from '../offload/worker-pool.ts';
import { type EstimateInput, estimateTokensTask } from './estimate-task.ts';
import { type Prompt, promptOf } from './prompt.ts';

export interface EstimateRequest {
  /** Read before this returns. */
  readonly prompt: Prompt;
  /** The first bytes of the answer as the provider sent them (OpenAI's wire). */
  readonly outputSample: Buffer;
  readonly outputTotalBytes: number;
  /** Chooses the vocabulary. */
  readonly model: string;
}

/** A body up to this size is carried to the worker whole, of a larger one as much from both ends together. */
const MAX_CARRIED_BYTES = 1024 * 1024;

/*
 * One thread per relay thread, started by the first estimate, ended after ten idle seconds. While it lives it costs
 * about 80 MB: most of it the vocabulary. At most 64 estimates wait (64 MiB of bodies); beyond that usage stays unknown.
 */
const pool = new WorkerPool({
  entry: new URL(`../task-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
});
const pending = new Set<Promise<unknown>>();

/**
 * What an exchange probably used, where its provider did not say; undefined where nothing can be said. Bounded: long
 * prompts are counted in samples and scaled, the answer is scaled from its first bytes, and an estimate that takes
 * longer than five seconds is given up.
 */
export function estimateUsage(request: EstimateRequest): Promise<Usage | undefined> {
  const estimate = runEstimate(request);
  pending.add(estimate);
  const settled = () => pending.delete(estimate);
  estimate.then(settled, settled);
  return estimate;
}

async function runEstimate(request: EstimateRequest): Promise<Usage | undefined> {
  const input = toInput(request);
  const transfer = [input.head, input.tail, input.outputSample].flatMap((bytes) => (bytes ? [bytes.buffer] : []));
  const result = await pool.run(estimateTokensTask, input, transfer);
  if ('failure' in result) return undefined;
  const { inputTokens, outputTokens } = result.value;
  if (inputTokens === undefined && outputTokens === undefined) return undefined;
  return { ...(inputTokens !== undefined && { inputTokens }), ...(outputTokens !== undefined && { outputTokens }) };
}

/** Every piece is copied into memory of its own, so that it can be transferred. */
function toInput({ prompt, outputSample, outputTotalBytes, model }: EstimateRequest) {
  const { head, tail, bytes } = prompt.tail ? prompt : promptOf(prompt.head, MAX_CARRIED_BYTES);
  return {
    head: new Uint8Array(head),
    tail: tail && new Uint8Array(tail),
    bodyBytes: bytes,
    outputSample: new Uint8Array(outputSample),
    outputTotalBytes,
    model,
  } satisfies EstimateInput;
}

/** For the end of a thread: waits for the estimates under way, whose records wait for them, then ends the worker. */
export async function closeEstimates(): Promise<void> {
  await Promise.allSettled(pending);
  await pool.close();
}
