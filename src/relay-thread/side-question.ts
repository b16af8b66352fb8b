import { Buffer } from 'node:buffer';
import { GatewayError } from '../core/errors.ts';
import type { Exchange, Principal } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import type { Dialect, RequestScan } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';

/** `busy`: nobody was asked. */
export type NoAnswer = 'failed' | 'late' | 'busy';

export interface SideQuestion {
  readonly path: string;
  /** As JSON. */
  readonly body: object;
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  /** Guards of the input that hold beside those of rules. */
  readonly guards?: readonly string[];
}

/** Failures in a row after which no question is asked for a while, so that requests do not wait for nothing. */
const MAX_FAILURES = 5;
const PAUSE_MS = 5_000;

/**
 * Questions to a model that the gateway asks because of a request. They are asked as the caller: its limits, budgets and
 * guards hold, and each has a row in the ledger, whose `request_id` is the exchange that wants it.
 */
export class SideQuestions {
  /** In whose form they are asked. */
  readonly #dialect: Dialect;
  readonly #pipeline: () => PipelineOptions;
  /** Callers without their keys' lists of models: the operator chose the model of such a question. */
  readonly #principals = new WeakMap<Principal, Principal>();
  #open = 0;
  #failures = 0;
  #pausedUntil = 0;

  constructor(dialect: Dialect, pipeline: () => PipelineOptions) {
    this.#dialect = dialect;
    this.#pipeline = pipeline;
  }

  /** Whether one more is not to be asked now; undefined: it may be. */
  refusal(maxConcurrent: number): NoAnswer | undefined {
    if (performance.now() < this.#pausedUntil) return 'failed';
    return this.#open >= maxConcurrent ? 'busy' : undefined;
  }

  /** `read`: what its answer says; undefined: nothing that helps. */
  async ask<Answer>(
    exchange: Exchange,
    question: SideQuestion,
    read: (answer: string) => Answer | undefined,
  ): Promise<Answer | NoAnswer> {
    this.#open += 1;
    try {
      const answer = await this.#send(exchange, question);
      const told = typeof answer === 'string' ? answer : (read(answer.text) ?? 'failed');
      this.#count(told === 'failed' || told === 'late');
      return told;
    } finally {
      this.#open -= 1;
    }
  }

  #count(isFailure: boolean): void {
    this.#failures = isFailure ? this.#failures + 1 : 0;
    if (this.#failures >= MAX_FAILURES) this.#pausedUntil = performance.now() + PAUSE_MS;
  }

  #send(exchange: Exchange, question: SideQuestion): Promise<{ readonly text: string } | NoAnswer> {
    const { path, body, timeoutMs, maxAnswerBytes, guards = [] } = question;
    const dialect = this.#dialect;
    const { promise, resolve } = Promise.withResolvers<{ readonly text: string } | NoAnswer>();
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    let status = 0;
    const metadata = exchange.headers.tfy?.['x-tfy-metadata'];
    const tfy = {
      ...(metadata !== undefined && { 'x-tfy-metadata': metadata }),
      ...(guards.length > 0 && { 'x-tfy-guardrails': JSON.stringify({ llm_input_guardrails: guards }) }),
    };
    const local = new LocalExchange(
      {
        path,
        principal: this.#principalOf(exchange.principal),
        body: Buffer.from(JSON.stringify(body)),
        requestId: exchange.id,
        headers: { tfy: Object.keys(tfy).length === 0 ? undefined : tfy },
        scan: (request) => dialect.scan(request),
      },
      {
        head: (code) => {
          status = code;
        },
        take: (chunk) => {
          bytes += chunk.length;
          if (bytes <= maxAnswerBytes) pieces.push(chunk);
          return true;
        },
        over: (error) => {
          clearTimeout(timer);
          const isWhole = error === undefined && status === 200 && bytes <= maxAnswerBytes;
          resolve(isWhole ? { text: Buffer.concat(pieces).toString() } : 'failed');
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
    } else runInference(local, dialect, this.#pipeline(), { peeked });
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
