import { GatewayError } from '../core/errors.ts';
import type { OrError, SpooledBody } from '../core/exchange.ts';
import type { PeekedRequest } from '../dialects/dialect.ts';
import type { Step, StepOverrides } from '../routing/route-plan.ts';
import type { HeldMemory } from './held-memory.ts';
import { mayStream, type Outbound, outbound } from './outbound.ts';
import type { RunContext } from './run-context.ts';
import { overriddenRequest } from './step-overrides.ts';

/** The request of one attempt: the client's, as its step changes it, in the form of its target. */
export class StepRequest {
  /** As the step changed it. */
  peeked: PeekedRequest;
  /** Undefined: the step changed nothing of it. */
  body: Buffer | undefined;
  readonly #step: Step;
  readonly #c: RunContext;
  readonly #memory: HeldMemory;
  readonly #abandoned: { readonly signal: AbortSignal };

  constructor(step: Step, context: RunContext, memory: HeldMemory, abandoned: { readonly signal: AbortSignal }) {
    this.peeked = context.peeked;
    this.#step = step;
    this.#c = context;
    this.#memory = memory;
    this.#abandoned = abandoned;
  }

  outbound(): OrError<Outbound> | Promise<OrError<Outbound>> {
    const { exchange, dialect, translateHeavy, cacheMarker, fetchMedia } = this.#c;
    const step = this.#step;
    const params = step.overrides?.params;
    const { headers, body, spooled } = exchange;
    if (spooled !== undefined && !spooled.isWhole && !mayStream(dialect, step, spooled)) {
      return spooled.whole().then((fault) => fault ?? this.outbound());
    }
    if (params === undefined && (spooled === undefined || step.target.local === undefined)) {
      const asked = { headers, body, spooled, peeked: this.peeked, cacheMarker, fetchMedia };
      return outbound(asked, dialect, step, translateHeavy, this.#abandoned);
    }
    if (spooled !== undefined) return this.#inMemory(spooled);
    return this.#overridden(params ?? {});
  }

  /** A target that cannot be sent stretches of a body needs it whole, and its bound is that of any other. */
  async #inMemory(spooled: SpooledBody): Promise<OrError<Outbound>> {
    const { exchange, settings } = this.#c;
    const body = await spooled.read(settings.limits.maxBodyBytes);
    if (body instanceof GatewayError) return body;
    if (!this.#memory.mayHold(body.length)) {
      return new GatewayError('body_memory_full', { setting: this.#memory.setting, retryAfterMs: 1000 });
    }
    exchange.body = body;
    exchange.spooled = undefined;
    spooled.close();
    return this.outbound();
  }

  #overridden(params: NonNullable<StepOverrides['params']>): OrError<Outbound> | Promise<OrError<Outbound>> {
    const { exchange, dialect, translateHeavy, cacheMarker, fetchMedia } = this.#c;
    const { headers } = exchange;
    const changed = overriddenRequest(exchange, dialect, params);
    if (changed instanceof GatewayError) return changed;
    this.peeked = changed.peeked;
    this.body = changed.body;
    const asked = { headers, cacheMarker, fetchMedia, ...changed };
    return outbound(asked, dialect, this.#step, translateHeavy, this.#abandoned);
  }
}
