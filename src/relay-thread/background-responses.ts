import { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import { runInference } from '../pipeline/pipeline.ts';
import { inFlightFull, type SharedCounters } from '../threads/shared-counters.ts';
import { answerJson } from './answered-route.ts';
import { BackgroundRun, type BackgroundRunOptions, LEASE_MS } from './background-run.ts';
import type { Turn } from './conversation-items.ts';
import type { RefusalRecords } from './refusal-records.ts';
import { startEvents, tellEvents } from './response-events.ts';

/** How often the database is asked which answers are still wanted. */
const RENEW_MS = 1_000;

export interface BackgroundOptions extends BackgroundRunOptions {
  readonly records: RefusalRecords;
  readonly counters: Pick<SharedCounters, 'enter' | 'leave'>;
}

/**
 * Answers that one relay thread makes while nobody waits for them. What is known of one stands in its row, so that any
 * thread and gateway can tell it. One whose gateway ends is failed: its provider would have to be paid twice otherwise.
 */
export class BackgroundResponses {
  readonly #o: BackgroundOptions;
  readonly #runs = new Set<BackgroundRun>();
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;
  #stops = false;

  constructor(options: BackgroundOptions) {
    this.#o = options;
  }

  /** Answers the exchange at once, with the answer as it stands before anything of it is there, or with its events. */
  async begin(exchange: Exchange, dialect: Dialect, peeked: PeekedRequest, turn: Turn): Promise<void> {
    const refusal = await this.#begin(exchange, dialect, peeked, turn);
    if (refusal) {
      this.#o.records.refused(exchange, refusal);
      refuse(exchange, refusal);
    }
  }

  /** Why it was not begun, and so has no record. */
  async #begin(
    exchange: Exchange,
    dialect: Dialect,
    peeked: PeekedRequest,
    turn: Turn,
  ): Promise<GatewayError | undefined> {
    const { pipeline, counters } = this.#o;
    const form = dialect.conversation?.background;
    if (form === undefined || this.#stops) return new GatewayError('draining', { retryAfterMs: 1_000 });
    const { limits, responses } = pipeline.snapshot().settings;
    const { maxInFlight } = limits;
    if (Buffer.byteLength(turn.items) > responses.maxBytes) {
      return new GatewayError('body_too_large', { setting: `responses.max_bytes: ${responses.maxBytes}` });
    }
    const asked = form.foreground(exchange.body, peeked);
    if (asked instanceof GatewayError) return asked;
    if (!counters.enter(maxInFlight)) return inFlightFull(maxInFlight);
    const run = new BackgroundRun(turn, this.#o, () => {
      this.#runs.delete(run);
      counters.leave();
      if (this.#runs.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#onIdle?.();
    });
    this.#runs.add(run);
    this.#timer ??= setInterval(() => void this.#renew(), RENEW_MS).unref();
    const { id, path, principal, requestId, headers } = exchange;
    // One record for both: what the client was told of the exchange leads to the tokens and the cost of its answer.
    const request = { id, path, principal, requestId, headers, body: asked.body, scan: dialect.scan };
    const local = run.start(request);
    const createdAt = Date.now();
    const queued = form.queued(exchange.body, peeked, run.id, Math.floor(createdAt / 1000));
    exchange.releaseBody();
    runInference(local, dialect, pipeline, { peeked: asked.peeked, filters: [run.filter(responses.maxBytes)] });
    if (run.refusal) {
      // It was refused at once: there is nothing to ask for later.
      run.drop();
      return refuse(exchange, run.refusal);
    }
    const unkept = await run.keep(queued, createdAt);
    if (unkept) return refuse(exchange, unkept);
    if (peeked.stream && exchange.aborted === undefined) {
      startEvents(exchange);
      await tellEvents(exchange, run.key, -1, { ...this.#o, form });
    } else if (exchange.aborted === undefined) answerJson(exchange, queued);
    exchange.finish();
    return undefined;
  }

  /** Ends answers that were cancelled or deleted elsewhere. */
  async #renew(): Promise<void> {
    const runs = [...this.#runs].filter((run) => run.isKept);
    if (runs.length === 0) return;
    const keys = runs.map(({ key }) => key);
    const wanted = await this.#o.rows.renew(keys, Date.now() + LEASE_MS);
    if (wanted instanceof GatewayError) return;
    const ids = new Set(wanted.map(({ owner, id }) => `${owner} ${id}`));
    for (const run of runs) if (!ids.has(`${run.key.owner} ${run.key.id}`)) run.abandon();
  }

  /** Resolves when nothing is being made any more; nothing is begun from now on. */
  stop(): Promise<void> {
    this.#stops = true;
    if (this.#runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** The drain deadline came. */
  cut(): void {
    for (const run of this.#runs) run.cut();
  }
}

/** Its record is that of the answer. */
function refuse(exchange: Exchange, error: GatewayError): undefined {
  exchange.refuse(error, error.context.headers);
  exchange.finish();
}
