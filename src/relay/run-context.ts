import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Exchange, OrError } from '../core/exchange.ts';
import type { Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { CacheMarker } from '../inference/cache-marker.ts';
import type { Step } from '../routing/route-plan.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import type { AnswerFilterMaker } from './answer-filter.ts';
import type { HeavyAnswers } from './answer-translation.ts';
import type { SharedMemory } from './held-memory.ts';
import type { MediaFetcher } from './media-by-address.ts';
import type { HeavyTranslator } from './request-translation.ts';

/** The reservations of an exchange that may go to several targets: each target has a price and rules of its own. */
export interface StepHolds {
  /**
   * Another step takes the place of this one: the forecast of the one is given back, that of the other held. Where a rule
   * refuses it the first is held again.
   */
  replace(step: Step, by: Step): OrError<void> | Promise<OrError<void>>;
  /** A further step is asked beside those that are. */
  add(step: Step): OrError<void> | Promise<OrError<void>>;
  /** This one, beside which another is held, is over. */
  drop(step: Step): void;
}

/** What all runs of one exchange share. */
export interface RunContext {
  readonly exchange: Exchange;
  readonly dialect: Dialect;
  readonly peeked: PeekedRequest;
  readonly settings: ServerSettings;
  readonly pools: OriginPools;
  readonly translateHeavy: HeavyTranslator;
  readonly heavyAnswers: HeavyAnswers;
  /** Absent: nothing that a request names by address is fetched. */
  readonly fetchMedia?: MediaFetcher | undefined;
  /** What large answers are held in, beside the bodies of all exchanges. */
  readonly sharedMemory: SharedMemory;
  /** A translated answer has no fields beyond those of the client's form. */
  readonly strictForm: boolean;
  /** What of a translated request is marked for the provider's prompt cache. */
  readonly cacheMarker: CacheMarker | undefined;
  /** In the order in which they see the answer. */
  readonly filters: readonly AnswerFilterMaker[];
  /** Undefined: whatever is asked, it is the same target. */
  readonly holds: StepHolds | undefined;
}
