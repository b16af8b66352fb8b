import { GatewayError } from './core/errors.ts';
import type { OrError } from './core/exchange.ts';
import type { Dialect } from './dialects/dialect.ts';
import { WorkerPool } from './offload/worker-pool.ts';
import type { TranslationTarget, Wire } from './providers/provider.ts';
import { type TranslatedRequest, translateRequestTask } from './relay/request-translation.ts';

/** A request of 32 MB in the smallest of values takes about 10 seconds. */
const DEADLINE_MS = 30_000;
/** Each holds a copy of a body, beside what limits.max_body_memory_bytes counts. */
const MAX_QUEUED = 8;

const pool = new WorkerPool({
  entry: new URL(`./task-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  deadlineMs: DEADLINE_MS,
  maxQueued: MAX_QUEUED,
  maxHeapMb: 2048,
});

/** Translates a large request in the task pool. The body is copied, since another target may want it again. */
export async function translateHeavy(
  dialect: Dialect,
  wire: Wire,
  target: TranslationTarget,
  body: Buffer,
  signal: AbortSignal,
): Promise<OrError<TranslatedRequest>> {
  const copy = new Uint8Array(body);
  const input = { dialect: dialect.name, wire: wire.name, target, body: copy };
  const result = await pool.run(translateRequestTask, input, [copy.buffer], signal);
  if ('failure' in result) {
    return new GatewayError('overloaded', {
      detail: `Translating a request this large did not succeed (${result.failure}).`,
      cause: result.cause,
      retryAfterMs: 1000,
    });
  }
  const { value } = result;
  if ('code' in value) return new GatewayError(value.code, value.context);
  return { body: Buffer.from(value.body.buffer, value.body.byteOffset, value.body.byteLength), headers: value.headers };
}

/** For the end of a thread. */
export function closeTranslations(): Promise<void> {
  return pool.close();
}
