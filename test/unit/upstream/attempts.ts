import type { GatewayError } from '../../../src/core/errors.ts';
import type { AttemptHandler, Connection } from '../../../src/providers/provider.ts';
import { type OutboundRequest, UpstreamAttempt } from '../../../src/upstream/attempt.ts';
import type { OriginPools } from '../../../src/upstream/origin-pools.ts';

export type Heard =
  | ['started', number, Readonly<Record<string, string | string[] | undefined>>]
  | ['chunk', string, pieces?: number]
  | ['ended']
  | ['failed', GatewayError];

/** One attempt over a real socket, and everything that was heard of it in order. */
export class HeardAttempt implements AttemptHandler {
  readonly heard: Heard[] = [];
  readonly attempt: UpstreamAttempt;
  #wake: (() => void)[] = [];

  constructor(
    pools: OriginPools,
    origin: string,
    more: Partial<OutboundRequest> = {},
    tls: Connection['tls'] = undefined,
  ) {
    this.attempt = new UpstreamAttempt(pools.get({ origin, credential: 'c', ...(tls && { tls }) }), this);
    this.attempt.send({
      origin,
      path: '/v1/chat/completions',
      method: 'POST',
      headers: ['content-type', 'application/json'],
      body: Buffer.from('{"model":"m"}'),
      ...more,
    });
  }

  started(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    this.#hear(['started', status, headers]);
  }

  chunk(bytes: Buffer, pieces?: number): void {
    this.#hear(['chunk', bytes.toString('latin1'), pieces]);
  }

  ended(): void {
    this.#hear(['ended']);
  }

  failed(error: GatewayError): void {
    this.#hear(['failed', error]);
  }

  get status(): number | undefined {
    const started = this.heard.find(([what]) => what === 'started');
    return started?.[0] === 'started' ? started[1] : undefined;
  }

  get headers(): Readonly<Record<string, string | string[] | undefined>> {
    const started = this.heard.find(([what]) => what === 'started');
    return started?.[0] === 'started' ? started[2] : {};
  }

  get error(): GatewayError | undefined {
    const last = this.heard.at(-1);
    return last?.[0] === 'failed' ? last[1] : undefined;
  }

  text(): string {
    return this.heard.map((each) => (each[0] === 'chunk' ? each[1] : '')).join('');
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** `ended` or `failed`; in the turn after it, when the connection is free for the next one. */
  async over(): Promise<this> {
    await this.until(() => this.heard.some(([what]) => what === 'ended' || what === 'failed'));
    await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  #hear(what: Heard): void {
    this.heard.push(what);
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
