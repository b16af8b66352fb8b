import { settings } from '../../../bench/inputs/settings.ts';
import type { ServerSettings } from '../../../src/config/configuration.ts';
import { Sweeper } from '../../../src/core/sweeper.ts';
import type { PeekedRequest } from '../../../src/dialects/dialect.ts';
import { openAiChat } from '../../../src/dialects/openai-chat/index.ts';
import type { AttemptHandler, LocalRequest, Target } from '../../../src/providers/provider.ts';
import type { Allowance } from '../../../src/relay/cut-short.ts';
import { Relay, type RelayResult } from '../../../src/relay/relay.ts';
import { OriginPools } from '../../../src/upstream/origin-pools.ts';
import type { ClientWaits } from '../../../src/upstream/waits.ts';
import { exampleTarget } from '../../support/targets.ts';
import { FakeExchange } from './fake-exchange.ts';

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
  readonly body?: object;
  /** Names of the targets in order; `main` by default. */
  readonly targets?: readonly string[];
  readonly target?: Partial<Target>;
  /** The same by name of the target. */
  readonly targetOf?: Readonly<Record<string, Partial<Target>>>;
  /** Its very targets are asked; from now on they answer here. */
  readonly sameTarget?: Relayed;
  readonly settings?: Partial<ServerSettings>;
  readonly waits?: ClientWaits;
  readonly allowance?: Allowance;
}

const opened: Relayed[] = [];

/** For `afterEach`: an open exchange keeps its sweeper, and so the test process, awake. */
export function closeRelays(): void {
  for (const { exchange } of opened.splice(0)) exchange.abort('client');
}

/** The real relay between a client and providers that are the test itself. */
export class Relayed {
  readonly attempts: LocalAttempt[] = [];
  readonly exchange: FakeExchange;
  readonly sweeper = new Sweeper();
  readonly relay: Relay;
  readonly results: RelayResult[] = [];
  /** Ids of targets whose providers refused our credential. */
  readonly refusedCredentials: string[] = [];
  readonly peeked: PeekedRequest;
  readonly targets: readonly Target[];
  #receiver: Relayed = this;

  constructor(options: RelayedOptions = {}) {
    const body = Buffer.from(JSON.stringify({ model: 'main/model', messages: [], stream: true, ...options.body }));
    this.exchange = new FakeExchange(body);
    const scan = openAiChat.scan(this.exchange);
    scan.advance(body, body.length);
    this.peeked = scan.result(body) as PeekedRequest;
    const all = { ...settings, ...options.settings };
    this.targets = options.sameTarget?.targets ?? this.#targets(options);
    if (options.sameTarget) options.sameTarget.#receiver = this;
    this.relay = new Relay({
      exchange: this.exchange,
      dialect: openAiChat,
      peeked: this.peeked,
      targets: this.targets,
      waits: options.waits ?? { attemptMs: undefined, firstTokenMs: undefined },
      settings: all,
      pools: new OriginPools(all.limits, all.timeouts),
      sweeper: this.sweeper,
      translateHeavy: () => Promise.reject(new Error('nothing large is asked')),
      headers: [],
      allowance: options.allowance,
      owner: {
        relayed: (result) => this.results.push(result),
        credentialRefused: (target) => this.refusedCredentials.push(target.id),
      },
    });
    opened.push(this);
    this.relay.start();
  }

  #targets({ targets = ['main'], target, targetOf }: RelayedOptions): Target[] {
    return targets.map((account) => ({
      ...exampleTarget,
      id: `${account}/model`,
      account,
      local: (request, handler) => this.#receiver.#attempt(request, handler),
      ...target,
      ...targetOf?.[account],
    }));
  }

  get attempt(): LocalAttempt {
    return this.attempts.at(-1)!;
  }

  get result(): RelayResult | undefined {
    return this.results[0];
  }

  get sink(): FakeExchange['sink'] {
    return this.exchange.sink;
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
