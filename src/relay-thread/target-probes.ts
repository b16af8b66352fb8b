import type { RoutingLimits } from '../config/server/routing.ts';
import { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import { LocalExchange } from '../core/local-exchange.ts';
import type { Dialect, RequestScan } from '../dialects/dialect.ts';
import type { Operation } from '../inference/operation.ts';
import { runInference } from '../pipeline/pipeline.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import type { BalancedRoute } from '../routing/balanced-route.ts';
import { credentialKey, type Place } from '../routing/place.ts';
import { fixedPlan, type Route, type StepObserver, stepAt } from '../routing/route-plan.ts';

/** The caller of probes: limits, budgets and the ledger may name it as anybody else. */
const PROBE: Principal = {
  subject: 'virtualaccount:sluice-probe',
  keyId: 'probe',
  teams: [],
  models: undefined,
  metadata: {},
};
/** The length of an answer: a longer one costs more, and some models say nothing within less. */
const MAX_TOKENS = 16;
/** Statuses with which a provider refuses a question that it understood: it is available. */
const ANSWERED = new Set([400, 413, 422]);

const QUESTIONS: Partial<Record<Operation, { readonly path: string; readonly body: object }>> = {
  chat: {
    path: '/chat/completions',
    body: { max_tokens: MAX_TOKENS, messages: [{ role: 'user', content: 'Answer with one word: are you there?' }] },
  },
  embedding: { path: '/embeddings', body: { input: 'ping' } },
};

export interface TargetProbesOptions {
  readonly pipeline: () => PipelineOptions;
  readonly routes: () => readonly BalancedRoute[];
  readonly dialects: readonly Dialect[];
  readonly now: () => number;
}

/**
 * Asks targets that may be available again, so that no request has to be the probe. One thread of a gateway does it, and
 * among gateways that share Redis the one with the permit. Each probe is an exchange with a row in the ledger.
 */
export class TargetProbes {
  readonly #options: TargetProbesOptions;
  readonly #open = new Set<LocalExchange>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TargetProbesOptions) {
    this.#options = options;
  }

  reconfigure(laws: RoutingLimits): void {
    clearInterval(this.#timer);
    if (laws.probeIntervalMs === 0) return;
    this.#timer = setInterval(() => this.#probeAll(laws), laws.probeIntervalMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const each of this.#open) each.abort('drain');
  }

  #probeAll(laws: RoutingLimits): void {
    const now = this.#options.now();
    const seen = new Set<string>();
    for (const route of this.#options.routes()) {
      for (const { candidates } of route.entries) {
        for (const { place } of candidates) {
          const name = `${place.target.id} ${credentialKey(place.target)}`;
          if (seen.has(name)) continue;
          seen.add(name);
          if (this.#open.size >= laws.maxProbes) return;
          // Asking also says that a permit is wanted.
          if (place.availability(now) === 'probe') this.#probe(place, route, laws, now);
        }
      }
    }
  }

  #probe(place: Place, { modelTypes }: BalancedRoute, { probeTimeoutMs }: RoutingLimits, now: number): void {
    const { target } = place;
    const types = modelTypes ?? target.modelTypes ?? ['chat'];
    const dialect = this.#options.dialects.find(
      ({ operation }) => QUESTIONS[operation] !== undefined && types.some((type) => type === operation),
    );
    const question = dialect && QUESTIONS[dialect.operation];
    if (dialect === undefined || question === undefined) return;
    const claimed = place.claim(now, 'due');
    if (claimed === undefined) return;
    const observer = new ProbeObserver(claimed);
    const waits = { attemptMs: probeTimeoutMs, firstTokenMs: undefined };
    const plan = fixedPlan([stepAt(target, { observer, waits, reason: 'probe' })]);
    const route: Route = { model: target.id, targets: [target], plan: () => plan };
    const local = new LocalExchange(
      {
        path: question.path,
        principal: PROBE,
        body: Buffer.from(JSON.stringify({ model: target.id, ...question.body })),
        scan: (request) => dialect.scan(request),
      },
      {
        take: () => true,
        over: () => {
          this.#open.delete(local);
          observer.close();
        },
      },
    );
    const peeked = (local.scan as RequestScan).result(local.body);
    if (peeked instanceof GatewayError) {
      observer.close();
      return;
    }
    this.#open.add(local);
    runInference(local, dialect, this.#options.pipeline(), { peeked, route });
  }
}

/** What a probe says of its target. Its own timeout is held against the target, and a refusal of the question is not. */
class ProbeObserver implements StepObserver {
  readonly #place: StepObserver;
  #told = false;

  constructor(place: StepObserver) {
    this.#place = place;
  }

  asked(): void {
    this.#place.asked();
  }

  mayRetry(): boolean {
    return false;
  }

  contentCame(): void {
    this.#told = true;
    this.#place.contentCame();
  }

  /** Latencies are of requests alone. */
  answered(): void {
    this.#told = true;
  }

  failed(error: GatewayError, outcome: Parameters<StepObserver['failed']>[1]): void {
    this.#told = true;
    if (ANSWERED.has(outcome.status)) this.#place.contentCame();
    else this.#place.failed(error.code === 'attempt_timeout' ? new GatewayError('first_byte_timeout') : error, outcome);
  }

  left(): void {
    this.#told = true;
    this.#place.left();
  }

  outrun(): void {
    this.left();
  }

  /** It may have been refused here, by a rule, before it was sent. */
  close(): void {
    if (!this.#told) this.left();
  }
}
