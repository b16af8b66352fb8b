import type { AnswerCache } from '../cache/answer-cache.ts';
import type { ClassifierSettings, ShadowSettings } from '../config/rules/routing-settings.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { Sweeper } from '../core/sweeper.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Guardrails } from '../guardrails/guardrails.ts';
import type { Limits } from '../limits/admission.ts';
import type { CacheRules } from '../policy/cache-rules.ts';
import type { Callers } from '../policy/caller.ts';
import type { RouteRules } from '../policy/route-rules.ts';
import type { Target } from '../providers/provider.ts';
import type { HeavyAnswers } from '../relay/answer-translation.ts';
import type { SharedMemory } from '../relay/held-memory.ts';
import type { MediaFetcher } from '../relay/media-by-address.ts';
import type { HeavyTranslator } from '../relay/request-translation.ts';
import type { BodyPlan, BodyPolicy } from '../request-log/body-policy.ts';
import type { Capture, CaptureSource } from '../request-log/capture.ts';
import type { ModelRoutes } from '../routing/model-routes.ts';
import type { Complexity } from '../routing/route-plan.ts';
import type { Estimator } from '../settlement/settlement.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import type { Price } from '../usage/price-table.ts';

/** Everything that belongs to one configuration. An exchange keeps the one it began with until it ends. */
export interface Snapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
  /** Rules that send requests for a model elsewhere; undefined: there are none. */
  readonly routeRules?: RouteRules | undefined;
  readonly callers: Callers;
  /** The rules by which answers are cached without their client asking; undefined: there are none. */
  readonly cacheRules?: CacheRules | undefined;
  readonly limits: Limits;
  /** Undefined: no guard is configured. */
  readonly guardrails?: Guardrails | undefined;
  /** Spans of exchanges are exported. */
  readonly exportsTraces: boolean;
  /** Whose bodies are kept; undefined: nobody's. */
  readonly bodies?: BodyPolicy | undefined;
  price(target: Target): Price;
}

export interface PipelineOptions {
  readonly thread: number;
  readonly log: Log;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly estimate: Estimator;
  readonly translateHeavy: HeavyTranslator;
  readonly heavyAnswers: HeavyAnswers;
  /** See RunContext; with the settings that the exchange began with. */
  readonly fetchMedia?: (settings: ServerSettings) => MediaFetcher;
  readonly sharedMemory: SharedMemory;
  /** Absent: nothing is cached. */
  readonly cache?: AnswerCache;
  /** Where large uploads go while they are on their way. */
  readonly spoolFolder: string;
  readonly snapshot: () => Snapshot;
  readonly record: (record: ExchangeRecord) => void;
  /** See settlement: a record that a better one follows; undefined: there is no ledger. */
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  /** Why no new exchange may begin now; asked for each. */
  readonly refusal: () => GatewayError | undefined;
  readonly credentialRefused: (target: Target, error: GatewayError) => void;
  /** An exchange was refused before it reached a target. */
  readonly refused: (exchange: Exchange, error: GatewayError, request: RefusedRequest) => void;
  /** Sends a copy of a request that is about to be sent; never throws. */
  readonly shadow?: (exchange: Exchange, dialect: Dialect, shadow: ShadowSettings) => void;
  /** Absent: signs in requests tell how hard they are. */
  readonly classifier?: ComplexityClassifier;
  /** Absent: no bodies are kept. */
  readonly requestLog?: CaptureTaker;
}

/** Asks a model how hard requests are. */
export interface ComplexityClassifier {
  /** `guards`: names of those of the input, which hold for the question too. Undefined: there are no words to ask about. */
  classify(
    exchange: Exchange,
    dialect: Dialect,
    settings: ClassifierSettings,
    guards: readonly string[],
  ): Promise<Complexity> | Complexity | undefined;
}

/** Takes bodies that are to be kept. */
export interface CaptureTaker {
  begin(exchange: CaptureSource, plan: BodyPlan): Capture;
  /** Once, when the exchange is over; `record`: undefined where it was refused. */
  end(exchange: CaptureSource, capture: Capture, record: ExchangeRecord | undefined): void;
}

/** As much as is known of a request that was refused, for its record. */
export interface RefusedRequest {
  readonly model: string | undefined;
  readonly teamsJson?: string | undefined;
  readonly metadataJson?: string | undefined;
  readonly guardrailsJson?: string | undefined;
}
