import type { ServerSettings } from '../config/server/server-settings.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { Sweeper } from '../core/sweeper.ts';
import type { ApiForm, Dialect } from '../dialects/dialect.ts';
import type { Limits } from '../limits/admission.ts';
import type { Callers } from '../policy/caller.ts';
import type { Target } from '../providers/provider.ts';
import type { SharedMemory } from '../relay/held-memory.ts';
import type { ModelRoutes } from '../routing/model-routes.ts';
import type { Estimator } from '../settlement/settlement.ts';
import type { ExchangeRecord } from '../telemetry/exchange-record.ts';
import type { OriginPools } from '../upstream/origin-pools.ts';
import type { Price } from '../usage/price-table.ts';

/** What a proxied request reads of a snapshot. */
export interface ProxySnapshot {
  readonly settings: ServerSettings;
  readonly routes: ModelRoutes;
  readonly callers: Callers;
  readonly limits: Limits;
  readonly exportsTraces: boolean;
  price(target: Target): Price;
}

export interface ProxyOptions {
  readonly thread: number;
  readonly log: Log;
  readonly pools: OriginPools;
  readonly sweeper: Sweeper;
  readonly estimate: Estimator;
  readonly sharedMemory: SharedMemory;
  readonly snapshot: () => ProxySnapshot;
  readonly record: (record: ExchangeRecord) => void;
  readonly provisional: ((record: ExchangeRecord) => void) | undefined;
  readonly refusal: () => GatewayError | undefined;
  readonly credentialRefused: (target: Target, error: GatewayError) => void;
  readonly refused: (
    exchange: Exchange,
    error: GatewayError,
    request: { model: string | undefined; teamsJson?: string | undefined; metadataJson?: string | undefined },
  ) => void;
  /** The forms whose usage can be read while an answer passes. */
  readonly dialects: readonly Dialect[];
  readonly forms: readonly ApiForm[];
}
