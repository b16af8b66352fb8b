import { BatchRunner, type BatchRunnerOptions } from '../batches/batch-runner.ts';
import { AnswerCollector } from '../batches/collected-answer.ts';
import type { BatchCaller, PreparedLine } from '../batches/held-piece.ts';
import type { Configuration } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { LocalExchange, localHeaders } from '../core/local-exchange.ts';
import type { Log } from '../core/log.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import { withoutBasePath } from '../edge/routes.ts';
import { linesOf } from '../files/blob-lines.ts';
import { BlobFault, type BlobStore } from '../files/blob-store.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';
import type { BatchRows } from './batch-rows.ts';

/** By path without base path: what the lines of a batch may ask, which is whatever is asked and answered in JSON. */
export type BatchEndpoints = ReadonlyMap<string, Dialect>;

export function batchEndpoints(dialects: readonly Dialect[]): BatchEndpoints {
  const inJson = dialects.filter(({ overridden, answers }) => overridden === undefined && answers.media !== 'any');
  return new Map(
    inJson.flatMap((dialect) =>
      dialect.routes
        .filter(({ method, pattern }) => method === 'POST' && !pattern.includes('{'))
        .map(({ pattern }) => [pattern, dialect] as const),
    ),
  );
}

export interface RunnerOfThread {
  readonly thread: number;
  readonly threads: number;
  readonly endpoints: BatchEndpoints;
  readonly pipeline: PipelineOptions;
  readonly rows: BatchRows;
  readonly blobs: BlobStore;
  readonly counters: SharedCounters & SharedMemory;
  readonly log: Log;
  /** Why a key is good no more; undefined: it is, as far as is known. */
  refusal(principal: Principal): GatewayError | undefined;
}

/** Runs lines of batches through the pipeline of this thread. */
export function batchRunner(options: RunnerOfThread): BatchRunner {
  const { thread, threads, pipeline, rows, blobs, counters, log, endpoints } = options;
  const settings = (): Configuration['server'] => pipeline.snapshot().settings;
  /** Lines of this thread that count among its open exchanges. */
  let own = 0;
  const made: BatchRunnerOptions = {
    desk: rows,
    log,
    maxConcurrency() {
      const { maxConcurrency } = settings().batches;
      return Math.floor(maxConcurrency / threads) + (thread < maxConcurrency % threads ? 1 : 0);
    },
    maxAttempts: () => settings().batches.maxAttempts,
    live: () => counters.ownInFlight - own,
    enter() {
      // Half of all places are left to clients.
      if (!counters.enter(Math.max(1, settings().limits.maxInFlight >> 1))) return false;
      own += 1;
      return true;
    },
    leave() {
      own -= 1;
      counters.leave();
    },
    memory: () => new HeldMemory(counters, settings().limits.maxBodyMemoryBytes),
    async read(fileId, from, to) {
      const blob = await blobs.open(fileId);
      if (blob === undefined) throw new BlobFault('Its bytes are not on this gateway.', undefined);
      const lines: Buffer[] = [];
      try {
        for await (const read of linesOf(blob, from, to, settings().limits.maxBodyBytes)) {
          for (const { bytes } of read) lines.push(bytes);
        }
      } finally {
        await blob.close();
      }
      return lines;
    },
    callerOf: (json) => callerOf(json),
    refusal: ({ principal }) => options.refusal(principal),
    prepare: (url, body, caller) => prepareLine({ url, body, caller }, endpoints, pipeline, counters),
  };
  return new BatchRunner(made);
}

/** One object for all pieces of a batch: what is known of a caller is remembered by it. */
const callers = new Map<string, BatchCaller>();
const MAX_CALLERS = 256;

export function callerJson(principal: Principal, metadata: string | undefined): string {
  return JSON.stringify({ principal, metadata });
}

function callerOf(json: string): BatchCaller {
  let caller = callers.get(json);
  if (caller === undefined) {
    if (callers.size >= MAX_CALLERS) callers.clear();
    // Written by `callerJson` alone.
    caller = JSON.parse(json) as BatchCaller;
    callers.set(json, caller);
  }
  return caller;
}

function prepareLine(
  { url, body, caller }: { url: string; body: Buffer; caller: BatchCaller },
  endpoints: BatchEndpoints,
  pipeline: PipelineOptions,
  sharedMemory: SharedMemory,
): PreparedLine | undefined {
  const path = withoutBasePath(url);
  const dialect = endpoints.get(path);
  if (dialect === undefined) return undefined;
  const headers = caller.metadata === undefined ? {} : { tfy: { 'x-tfy-metadata': caller.metadata } };
  const scan = dialect.scan({ path, params: {}, headers: localHeaders(headers) });
  scan.advance(body, body.length);
  const peeked = scan.result(body);
  /** Each try has what was scanned once. */
  const scanned = { advance(): void {}, result: () => peeked };
  const { principal } = caller;
  return {
    model: peeked instanceof GatewayError ? '' : peeked.model,
    isUnderstood: !(peeked instanceof GatewayError),
    send(label, onOver) {
      const { limits } = pipeline.snapshot().settings;
      const memory = new HeldMemory(sharedMemory, limits.maxBodyMemoryBytes);
      const collector = new AnswerCollector({
        maxAnswerBytes: limits.maxTranslateBytes,
        mayHold: (bytes) => memory.mayHold(bytes),
        errorBody: (error) => dialect.errorBody(error, exchange.id),
        onFull: () => exchange.abort('client'),
        onOver(answer) {
          memory.release();
          onOver(answer);
        },
      });
      const exchange = new LocalExchange(
        { path, principal, body, requestId: label, headers, scan: () => scanned },
        collector,
      );
      const refusal = peeked instanceof GatewayError ? undefined : unfit(peeked);
      if (refusal) {
        exchange.refuse(refusal);
        exchange.finish();
      } else runInference(exchange, dialect, pipeline);
      return exchange;
    },
  };
}

/** What a line asks for that only a client that waits, or comes back, could have. */
function unfit({ stream, state }: PeekedRequest): GatewayError | undefined {
  if (stream) {
    const detail = '`stream`: A line of a batch has one whole answer.';
    return new GatewayError('invalid_parameter', { param: 'stream', detail });
  }
  if (!state?.background) return undefined;
  // Its provider would say at once that it is queued, and the line would end without an answer.
  const detail = '`background`: A batch is made in the background already: leave it out.';
  return new GatewayError('unsupported_parameter', { param: 'background', detail });
}
