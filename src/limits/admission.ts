import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { ServedAs } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { Caller } from '../policy/caller.ts';
import type { Target } from '../providers/provider.ts';

/** What limits and budgets are asked about one request that may use its model. */
export interface AdmissionRequest {
  readonly caller: Caller;
  /** Canonical name. */
  readonly model: string;
  /** The target that is tried first: its price is what the request will probably cost. */
  readonly target: Target;
  readonly bodyBytes: number;
  /** `max_tokens`, of each choice; undefined where the client set none. */
  readonly maxOutputTokens: number | undefined;
  /** Answers that are asked for at once; each is paid for. */
  readonly choices: number;
  /** Tier, speed and geography that it asks for: they multiply what it costs. */
  readonly servedAs?: ServedAs | undefined;
  /** Only a streamed answer can be ended when its budget ends. */
  readonly stream: boolean;
  /** The admission whose `downgradeTo` this model is. */
  readonly downgradedBy: Admission | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A request was let in, and what it probably uses is held. */
export interface Admission {
  /** JSON of `x-tfy-applied-rules`; undefined: no rule applied. */
  readonly rulesJson: string | undefined;
  /** JSON array of `[budget id, group]`, for the record. */
  readonly chargesJson: string | undefined;
  /** Integer nano-dollars; undefined: no price is known. */
  readonly reservedNanoUsd: number | undefined;
  /** A budget that is spent says which model shall be asked instead; nothing is held then. */
  readonly downgradeTo: string | undefined;
  /** What the client is told where that model cannot be asked. */
  readonly instead?: GatewayError;
  /** Undefined: no budget asks for its streams to be cut. */
  readonly allowance: Allowance | undefined;
  /** The exchange is over; `settle` comes once its use is counted. What counts open requests counts it no more. */
  over(): void;
  /** Exactly once, on every way out; later calls do nothing. */
  settle(outcome: AdmissionOutcome): void;
}

export interface AdmissionOutcome {
  /** False: it never went to a provider and does not count as a request. */
  readonly dispatched: boolean;
  /** Undefined counts are nothing, not an error: a request that failed used nothing. */
  readonly usage: Usage | undefined;
  readonly costNanoUsd: number | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly endedAtMs: number;
}

/** What a stream may still use before it is cut. */
export interface Allowance {
  /** Of the budget that asks for it. */
  readonly budgetId: string;
  /** What the prompt was taken for: billed where a stream is cut before its provider said. */
  readonly inputTokens: number;
  /**
   * Asked with every piece of content, so it is a comparison nearly always; false: the budget has ended.
   * `outputTokens`: of the whole answer so far, that piece included.
   */
  covers(outputTokens: number): boolean;
}

/** Rate limits and budgets of one configuration. */
export interface Limits {
  /** Synchronous unless another machine must be asked. */
  admit(request: AdmissionRequest): OrError<Admission> | Promise<OrError<Admission>>;
}

/** No rule applied. */
export const NOTHING_HELD: Admission = {
  rulesJson: undefined,
  chargesJson: undefined,
  reservedNanoUsd: undefined,
  downgradeTo: undefined,
  allowance: undefined,
  over: () => {},
  settle: () => {},
};

export const NO_LIMITS: Limits = { admit: () => NOTHING_HELD };
