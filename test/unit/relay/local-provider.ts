import { settings } from '../../../bench/inputs/settings.ts';
import type { ServerSettings } from '../../../src/config/server/server-settings.ts';
import { Sweeper } from '../../../src/core/sweeper.ts';
import type { Dialect, PeekedRequest } from '../../../src/dialects/dialect.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import type { AttemptHandler, LocalRequest, LocalResponder, Target } from '../../../src/providers/provider.ts';
import type { AnswerFilterMaker } from '../../../src/relay/answer-filter.ts';
import { Relay, type RelayResult } from '../../../src/relay/relay.ts';
import type { HeavyTranslator } from '../../../src/relay/request-translation.ts';
import type { StepHolds } from '../../../src/relay/run-context.ts';
import { fixedPlan, type RoutePlan, type Step, stepAt } from '../../../src/routing/route-plan.ts';
import { SharedCounters } from '../../../src/threads/shared-counters.ts';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import { exampleTarget } from '../../support/targets.ts';
import { StrictExchange } from './fake-exchange.ts';

/** One attempt as the provider sees it: the test says what it answers, and sees what is asked of it. */
export class LocalAttempt {
  readonly request: LocalRequest;
  readonly handler: AttemptHandler;
  paused = false;
  aborted = false;

  constructor(request: LocalRequest, handler: AttemptHandler) {
    this.request = request;
    this.handler = handler;
  }

  head(status = 200, headers: Record<string, string> = {}): this {
    this.handler.started(status, { 'transfer-encoding': 'chunked', ...headers });
    return this;
  }

  events(): this {
    return this.head(200, { 'content-type': 'text/event-stream' });
  }

  /** A provider that was given up hears nothing more, and nothing more of it is heard. */
  send(text: string | Buffer): this {
    if (!this.aborted) this.handler.chunk(Buffer.from(text));
    return this;
  }

  end(): void {
    if (!this.aborted) this.handler.ended();
  }
}

export const { timeouts, limits } = settings;

export interface RelayedOptions {
  readonly dialect?: Dialect;
  readonly body?: object;
  /** Instead of it, byte for byte. */
  readonly rawBody?: Buffer;
  /** Names of the targets in order, all of them the test itself; `main` by default. */
  readonly targets?: readonly string[];
  readonly target?: Partial<Target>;
  /** The same by name of the target. */
  readonly targetOf?: Readonly<Record<string, Partial<Target>>>;
  /** Its very steps are asked; from now on their targets answer here. */
  readonly sameSteps?: Relayed;
  readonly settings?: Partial<ServerSettings>;
  /** What each step has of its own. */
  readonly step?: Partial<Step>;
  /** Steps that lead elsewhere, instead of those that lead to the test. */
  readonly steps?: readonly [Step, ...Step[]];
  readonly filters?: readonly AnswerFilterMaker[];
  /** Limits that its attempts wait for. */
  readonly holds?: StepHolds;
  /** What its plan says of second attempts. */
  readonly hedging?: Pick<RoutePlan, 'mayHedge' | 'notHedged'>;
  /** Instead of one that fails. */
  readonly translateHeavy?: HeavyTranslator;
}

const opened: Relayed[] = [];

/** `afterEach` calls this: an open exchange keeps its sweeper, and so the test process, awake. */
export function closeRelays(): void {
  for (const relayed of opened.splice(0)) relayed.close();
}

/** The real relay between a client and providers that are the test itself. */
export class Relayed {
  readonly attempts: LocalAttempt[] = [];
  readonly exchange: StrictExchange;
  readonly sweeper = new Sweeper();
  readonly sharedMemory = new SharedCounters(1, 0);
  readonly relay: Relay;
  readonly results: RelayResult[] = [];
  /** Ids of targets whose providers refused our credential. */
  readonly refusedCredentials: string[] = [];
  readonly peeked: PeekedRequest;
  readonly over: Promise<RelayResult>;
  readonly #pools: OriginPools;
  readonly #steps: readonly [Step, ...Step[]];
  #receiver: Relayed = this;

  constructor(options: RelayedOptions = {}) {
    const asked = { model: 'main/model', messages: [], stream: true, ...options.body };
    const body = options.rawBody ?? Buffer.from(JSON.stringify(asked));
    this.exchange = new StrictExchange(body);
    const dialect = options.dialect ?? openAiChat;
    const scan = dialect.scan(this.exchange);
    scan.advance(body, body.length);
    this.peeked = scan.result(body) as PeekedRequest;
    const all = { ...settings, ...options.settings };
    this.#pools = new OriginPools(all.limits, all.timeouts);
    const { promise, resolve } = Promise.withResolvers<RelayResult>();
    this.over = promise;
    const { steps, sameSteps } = options;
    if (sameSteps) sameSteps.#receiver = this;
    this.#steps = steps ?? (sameSteps ? sameSteps.#steps : this.#ownSteps(options));
    this.relay = new Relay({
      exchange: this.exchange,
      dialect,
      peeked: this.peeked,
      plan: { ...fixedPlan(this.#steps), ...options.hedging },
      index: 0,
      settings: all,
      pools: this.#pools,
      sweeper: this.sweeper,
      sharedMemory: this.sharedMemory,
      translateHeavy: options.translateHeavy ?? (() => Promise.reject(new Error('nothing large is asked'))),
      heavyAnswers: () => Promise.reject(new Error('nothing large is asked')),
      holds: options.holds,
      strictForm: false,
      cacheMarker: undefined,
      filters: options.filters ?? [],
      owner: {
        relayed: (result) => {
          this.results.push(result);
          resolve(result);
        },
        credentialRefused: (target) => this.refusedCredentials.push(target.id),
        rulesJson: () => undefined,
      },
    });
    opened.push(this);
    this.relay.start();
  }

  get attempt(): LocalAttempt {
    return this.attempts.at(-1)!;
  }

  get result(): RelayResult | undefined {
    return this.results[0];
  }

  get sink(): StrictExchange['sink'] {
    return this.exchange.sink;
  }

  close(): void {
    this.exchange.abort('client');
    this.#pools.destroy();
  }

  #ownSteps(options: RelayedOptions): [Step, ...Step[]] {
    const [first = 'main', ...others] = options.targets ?? [];
    return [this.#step(first, options), ...others.map((account) => this.#step(account, options))];
  }

  #step(account: string, { target, targetOf, step }: RelayedOptions): Step {
    const local: LocalResponder = (request, handler) => this.#receiver.#attempt(request, handler);
    return stepAt(
      { ...exampleTarget, id: `${account}/model`, account, local, ...target, ...targetOf?.[account] },
      step,
    );
  }

  #attempt(request: LocalRequest, handler: AttemptHandler) {
    const attempt = new LocalAttempt(request, handler);
    this.attempts.push(attempt);
    return {
      pause: () => {
        attempt.paused = true;
      },
      resume: () => {
        attempt.paused = false;
      },
      abort: () => {
        attempt.aborted = true;
      },
    };
  }
}
