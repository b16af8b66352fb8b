import type { GatewayError } from '../core/errors.ts';
import type { ExpectedPages } from '../inference/ocr.ts';
import type { ServedAs } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { RareCounts } from '../inference/usage-counters.ts';
import type { Caller } from '../policy/caller.ts';
import type { Target } from '../providers/provider.ts';

/** What limits and budgets are asked about one request whose caller may use its model. */
export interface AdmissionRequest {
  readonly caller: Caller;
  /** Canonical name. */
  readonly model: string;
  /** Further names that rules may mean: the slug of a virtual model, and its target last; absent: it has none. */
  readonly names?: readonly string[] | undefined;
  /** The target that is tried: its price is the forecast of the request's cost. Undefined: a tool. */
  readonly target: Target | undefined;
  /** The cost of a tool, integer nano-dollars; absent: no price is known. */
  readonly costNanoUsd?: number | undefined;
  readonly bodyBytes: number;
  /** `max_tokens`, of each choice; undefined where the client set none. */
  readonly maxOutputTokens: number | undefined;
  /** Answers that are asked for at once; each is paid for. */
  readonly choices: number;
  /** Tier, speed and geography that it asks for: they multiply what it costs. */
  readonly servedAs?: ServedAs | undefined;
  /** What of it is billed by itself: characters to be spoken, images to be made. */
  readonly counted?: Readonly<RareCounts> | undefined;
  /** It is billed by pages, which only its answer counts. */
  readonly pages?: ExpectedPages | undefined;
  /** Only a streamed answer can be ended when its budget ends. */
  readonly stream: boolean;
  /** The refusal whose `instead` this model is; undefined: the client asked for this model. */
  readonly downgradedBy: Refused | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A request was let in, and its forecast is held. Whoever receives it settles it, exactly once, on every way out. */
export interface Admission {
  /** JSON of `x-tfy-applied-rules`; undefined: no rule applied. */
  readonly rulesJson: string | undefined;
  /** JSON array of `[budget id, group]`, for the record; undefined: no budget is charged. */
  readonly chargesJson: string | undefined;
  /** Integer nano-dollars; undefined: no price is known. */
  readonly reservedNanoUsd: number | undefined;
  /** Undefined: no budget asks for its streams to be cut. */
  readonly allowance: Allowance | undefined;
  /** The exchange is over, and `settle` follows once its use is counted: it no longer counts as an open request. */
  over(): void;
  /** Later calls do nothing. */
  settle(outcome: AdmissionOutcome): void;
}

export interface AdmissionOutcome {
  /** False: nothing was sent to a provider, so it does not count as a request. */
  readonly dispatched: boolean;
  /** Undefined counts are nothing, not an error: a request that failed used nothing. */
  readonly usage: Usage | undefined;
  readonly costNanoUsd: number | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly endedAtMs: number;
}

/** Settles an admission whose request was never sent to a provider. */
export function giveBack(admission: Pick<Admission, 'settle'>): void {
  admission.settle({ dispatched: false, usage: undefined, costNanoUsd: undefined, endedAtMs: Date.now() });
}

/** What a stream may still use before it is cut. */
export interface Allowance {
  /** The id of the budget that asks for it. */
  readonly budgetId: string;
  /** The forecast of the prompt: billed where a stream is cut before its provider counted. */
  readonly inputTokens: number;
  /**
   * Asked with every piece of content, so it is a comparison nearly always; false: the budget has ended.
   * `outputTokens`: of the whole answer so far, that piece included.
   */
  covers(outputTokens: number): boolean;
}

/** A request was not let in. Nothing is held, so there is nothing to settle. */
export class Refused {
  /** What the client is told, unless `instead` can be asked. */
  readonly error: GatewayError;
  /** Canonical name of the cheaper model that a spent budget sends the request to; undefined: it ends here. */
  readonly instead: string | undefined;
  /** The model that the client asked for. */
  readonly from: string;
  /** Ids of the budgets that sent the request on, the latest last: none decides twice, so the way ends. */
  readonly spent: readonly string[];

  constructor(error: GatewayError, instead?: string, from = '', spent: readonly string[] = NO_BUDGETS) {
    this.error = error;
    this.instead = instead;
    this.from = from;
    this.spent = spent;
  }
}

/** Rate limits and budgets of one configuration. */
export interface Limits {
  /** Some budget asks for its streams to be cut. Absent: none does. */
  readonly cutsStreams?: boolean;
  /** Synchronous unless another machine must be asked. */
  admit(request: AdmissionRequest): Admission | Refused | Promise<Admission | Refused>;
}

const NO_BUDGETS: readonly string[] = [];

/** No rule applied. */
export const NOTHING_HELD: Admission = {
  rulesJson: undefined,
  chargesJson: undefined,
  reservedNanoUsd: undefined,
  allowance: undefined,
  over: () => {},
  settle: () => {},
};

export const NO_LIMITS: Limits = { admit: () => NOTHING_HELD };
