import { setTimeout as delay } from 'node:timers/promises';
import type { KeylessConfiguration } from '../config/configuration.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { SpendingCounters } from '../ledger/budget-spending.ts';
import { startLedger } from '../ledger/ledger.ts';
import { registerLedger } from '../ledger/ledger-metrics.ts';
import type { Database } from '../store/database.ts';
import { loadOrMakeGatewayId } from '../store/gateway-id.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import type { RelayNews } from '../threads/database-messages.ts';
import type { JournalPlace } from '../threads/messages.ts';
import type { BudgetSeed } from './budget-seed.ts';
import { BudgetService } from './budget-service.ts';

/** How long a start waits for the journal of a crash, and an end for what the database has not taken yet. */
const REPLAY_MS = 10_000;
const CLOSE_MS = 10_000;

export interface LedgerServiceOptions {
  readonly database: Database;
  readonly configuration: KeylessConfiguration;
  readonly counters: SpendingCounters;
  /** What budgets spent is brought there, too. */
  readonly seed: Pick<BudgetSeed, 'push'>;
  readonly registry: MetricRegistry;
  /** The client that sends alerts. */
  readonly http: HttpClient;
  readonly log: Log;
  /** The journal is full, or has room again. */
  readonly onFull: (full: boolean) => void;
}

/** The ledger and what budgets spent by it. */
export interface LedgerService {
  /** Undefined: there is no ledger. */
  readonly journalFolder: string | undefined;
  /** Why new exchanges may be refused; undefined: their records have room. */
  readonly fullReason: string | undefined;
  /** `place`: where the frame stands in the journal; undefined: it could not be written there. */
  take(thread: number, frame: RecordFrame, place: JournalPlace | undefined): void;
  hear(news: RelayNews): void;
  threadDied(thread: number): void;
  reconfigure(configuration: KeylessConfiguration): void;
  /** The database may hold what the counts do not know. */
  refreshBudgets(): void;
  close(): Promise<void>;
}

/** The service while `ledger.enabled` is false, and until the ledger is open. */
const NO_LEDGER: LedgerService = {
  journalFolder: undefined,
  fullReason: undefined,
  take() {},
  hear() {},
  threadDied() {},
  reconfigure() {},
  refreshBudgets() {},
  close: async () => {},
};

/** With what earlier runs left in their journals already written, so that budgets begin with all that was spent. */
export async function openLedger(options: LedgerServiceOptions): Promise<LedgerService> {
  const { configuration, log } = options;
  if (configuration.server.ledger.enabled) return openEnabledLedger(options);
  if (configuration.budgets.length > 0) log.warn({}, 'ledger.enabled is false: budgets begin anew at each start');
  return NO_LEDGER;
}

async function openEnabledLedger(options: LedgerServiceOptions): Promise<LedgerService> {
  const { database, configuration, counters, seed, registry, http, log, onFull } = options;
  const { server } = configuration;
  const gatewayId = server.gatewayId ?? (await loadOrMakeGatewayId(server.dataDir, (text) => log.warn({}, text)));
  const budgets = new BudgetService({
    database,
    gatewayId,
    budgets: configuration.budgets,
    counters,
    // With Redis too: while it is away, this machine's counts are what decides.
    followsOthers: database.engine === 'postgres',
    onSpent: (windows) => seed.push(windows),
    registry,
    http,
    log,
  });
  const ledger = await startLedger({
    database,
    dataDir: server.dataDir,
    gatewayId,
    settings: server.ledger,
    hooks: [budgets.hook],
    log,
    onFull,
  });
  registerLedger(registry, ledger);
  const replayed = ledger.replayed.then(() => true);
  const inTime = await Promise.race([replayed, delay(REPLAY_MS, false, { ref: false })]);
  await budgets.start();
  // A large journal is replayed beside what is served.
  if (!inTime) replayed.then(() => budgets.refresh());
  return {
    journalFolder: ledger.journalFolder,
    get fullReason() {
      return ledger.fullReason;
    },
    take: (thread, frame, place) => ledger.take(thread, frame, place),
    refreshBudgets: () => budgets.refresh(),
    reconfigure(next) {
      ledger.reconfigure(next.server.ledger);
      budgets.reconfigure(next.budgets);
    },
    hear(news) {
      switch (news.type) {
        case 'journal-closed':
          ledger.segmentClosed(news.thread, news.segment, news.end);
          return;
        case 'journal-failed':
          ledger.journalFailed(news.thread, news.reason);
          return;
        case 'journal-room':
          ledger.journalRoom(news.thread, news.fault);
          return;
        case 'ledger-lost':
          ledger.recordsLost(news.records);
          return;
        case 'budget-refuses':
          budgets.refuses(news.window);
      }
    },
    threadDied: (thread) => ledger.threadDied(thread),
    async close() {
      await ledger.close(CLOSE_MS);
      await budgets.close();
    },
  };
}
