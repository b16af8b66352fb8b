import { Buffer } from 'node:buffer';
import type { NoVector, PromptVectors } from '../cache/semantic-index.ts';
import { isArray, objectOf, parseObject } from '../codec/json-value.ts';
import type { SemanticCacheLimits } from '../config/server/cache.ts';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, Principal } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import type { Dialect, RequestScan } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';

export interface PromptVectorsOptions {
  /** In whose form it is asked. */
  readonly dialect: Dialect;
  readonly pipeline: () => PipelineOptions;
  /** Undefined: no model is configured. */
  readonly model: () => string | undefined;
  readonly limits: () => SemanticCacheLimits;
}

/** Failures in a row after which nobody is asked for a while, so that not each request waits in vain. */
const MAX_FAILURES = 5;
const PAUSE_MS = 5_000;
const PATH = '/embeddings';
/** Of a vector of 16,384 numbers with all their digits. */
const MAX_ANSWER_BYTES = 524_288;

/**
 * Vectors of texts, from the model that the semantic cache is configured with. They are asked for as the caller would:
 * its limits and budgets count them, and the ledger has a row of each, whose `request_id` is the exchange that wants it.
 */
export class ModelVectors implements PromptVectors {
  readonly #options: PromptVectorsOptions;
  /** Which models a key may use is about what its holder asks for, and the operator chose this model. */
  readonly #principals = new WeakMap<Principal, Principal>();
  #open = 0;
  #failures = 0;
  #pausedUntil = 0;

  constructor(options: PromptVectorsOptions) {
    this.#options = options;
  }

  get model(): string | undefined {
    return this.#options.model();
  }

  async vectorOf(exchange: Exchange, text: string): Promise<readonly number[] | NoVector> {
    const { embeddingTimeoutMs, maxConcurrentEmbeddings } = this.#options.limits();
    const { model } = this;
    if (model === undefined || performance.now() < this.#pausedUntil) return 'failed';
    if (this.#open >= maxConcurrentEmbeddings) return 'busy';
    this.#open += 1;
    try {
      const vector = await this.#ask(exchange, model, text, embeddingTimeoutMs);
      this.#count(typeof vector === 'string');
      return vector;
    } finally {
      this.#open -= 1;
    }
  }

  #count(isFailure: boolean): void {
    this.#failures = isFailure ? this.#failures + 1 : 0;
    if (this.#failures >= MAX_FAILURES) this.#pausedUntil = performance.now() + PAUSE_MS;
  }

  #ask(exchange: Exchange, model: string, input: string, timeoutMs: number): Promise<readonly number[] | NoVector> {
    const { dialect, pipeline } = this.#options;
    const { promise, resolve } = Promise.withResolvers<readonly number[] | NoVector>();
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    let status = 0;
    const metadata = exchange.headers.tfy?.['x-tfy-metadata'];
    const local = new LocalExchange(
      {
        path: PATH,
        principal: this.#principalOf(exchange.principal),
        body: Buffer.from(JSON.stringify({ model, input, encoding_format: 'float' })),
        requestId: exchange.id,
        headers: { tfy: metadata === undefined ? undefined : { 'x-tfy-metadata': metadata } },
        scan: (request) => dialect.scan(request),
      },
      {
        head: (code) => {
          status = code;
        },
        take: (chunk) => {
          bytes += chunk.length;
          if (bytes <= MAX_ANSWER_BYTES) pieces.push(chunk);
          return true;
        },
        over: (error) => {
          clearTimeout(timer);
          const isWhole = error === undefined && status === 200 && bytes <= MAX_ANSWER_BYTES;
          resolve((isWhole ? vectorIn(Buffer.concat(pieces).toString()) : undefined) ?? 'failed');
        },
      },
    );
    const timer = setTimeout(() => {
      resolve('late');
      local.abort('client');
    }, timeoutMs);
    const peeked = (local.scan as RequestScan).result(local.body);
    if (peeked instanceof GatewayError) {
      // The one way of this is a model whose name no request may have.
      clearTimeout(timer);
      resolve('failed');
    } else runInference(local, dialect, pipeline(), { peeked });
    return promise;
  }

  #principalOf(principal: Principal): Principal {
    if (principal.models === undefined) return principal;
    let own = this.#principals.get(principal);
    if (own === undefined) {
      own = { ...principal, models: undefined };
      this.#principals.set(principal, own);
    }
    return own;
  }
}

function vectorIn(answer: string): readonly number[] | undefined {
  const data = parseObject(answer)?.['data'];
  const vector = isArray(data) ? objectOf(data[0])?.['embedding'] : undefined;
  return isArray(vector) && vector.every((each): each is number => typeof each === 'number') ? vector : undefined;
}
