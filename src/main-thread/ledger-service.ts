import { setTimeout as delay } from 'node:timers/promises';
import type { BudgetRule, Configuration, ServerSettings } from '../config/configuration.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { SpendingCounters } from '../ledger/budget-spending.ts';
import { startLedger } from '../ledger/ledger.ts';
import { registerLedger } from '../ledger/ledger-metrics.ts';
import type { Database } from '../store/database.ts';
import { loadOrMakeGatewayId } from '../store/gateway-id.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import type { FromRelayThread, JournalPlace, RelayThreadData } from '../threads/messages.ts';
import type { BudgetSeed } from './budget-seed.ts';
import { BudgetService } from './budget-service.ts';
import type { MainService } from './main-service.ts';

/** How long a start waits for the journal of a crash, and an end for what the database has not taken yet. */
const REPLAY_MS = 10_000;
const CLOSE_MS = 10_000;

export interface LedgerServiceOptions {
  readonly database: Database;
  readonly server: ServerSettings;
  readonly budgets: readonly BudgetRule[];
  readonly counters: SpendingCounters;
  /** What budgets spent is brought there, too. */
  readonly seed: Pick<BudgetSeed, 'push'>;
  readonly registry: MetricRegistry;
  /** For alerts. */
  readonly http: HttpClient;
  readonly log: Log;
  /** The journal is full, or has room again. */
  readonly onFull: (full: boolean) => void;
}

/** The ledger and what budgets spent by it. */
export interface LedgerService extends MainService {
  /** For a relay thread that is born now; undefined: there is no ledger. */
  readonly journal: RelayThreadData['journal'];
  /** `place`: where the frame stands in the journal; undefined: it could not be written there. */
  take(thread: number, frame: RecordFrame, place: JournalPlace | undefined): void;
  /** The database may hold what the counts do not know. */
  refreshBudgets(): void;
}

/** For `ledger.enabled: false`, and until the ledger is open. */
export const NO_LEDGER: LedgerService = { journal: undefined, take() {}, refreshBudgets() {}, close() {} };

/** With what earlier runs left in their journals already written, so that budgets begin with all that was spent. */
export async function openLedger(options: LedgerServiceOptions): Promise<LedgerService> {
  const { server, budgets, log } = options;
  if (server.ledger.enabled) return openEnabledLedger(options);
  if (budgets.length > 0) log.warn({}, 'ledger.enabled is false: budgets begin anew at each start');
  return NO_LEDGER;
}

async function openEnabledLedger(options: LedgerServiceOptions): Promise<LedgerService> {
  const { database, server, counters, seed, registry, http, log } = options;
  const gatewayId = server.gatewayId ?? (await loadOrMakeGatewayId(server.dataDir, (text) => log.warn({}, text)));
  const budgets = new BudgetService({
    database,
    gatewayId,
    budgets: options.budgets,
    counters,
    // With Redis too: while it is away, this machine's counts are what decides.
    followsOthers: database.engine === 'postgres',
    onSpent: (windows) => seed.push(windows),
    registry,
    http,
    log,
  });
  // Threads that are not born yet are told at their birth.
  let full = false;
  const ledger = await startLedger({
    database,
    dataDir: server.dataDir,
    gatewayId,
    settings: server.ledger,
    hooks: [budgets.hook],
    log,
    onFull: (isFull) => {
      full = isFull;
      options.onFull(isFull);
    },
  });
  registerLedger(registry, ledger);
  const replayed = ledger.replayed.then(() => true);
  const inTime = await Promise.race([replayed, delay(REPLAY_MS, false, { ref: false })]);
  await budgets.start();
  // A large journal is replayed beside what is served.
  if (!inTime) replayed.then(() => budgets.refresh());
  return {
    get journal() {
      return { folder: ledger.journalFolder, full };
    },
    take: (thread, frame, place) => ledger.take(thread, frame, place),
    refreshBudgets: () => budgets.refresh(),
    reconfigure(configuration: Configuration) {
      ledger.reconfigure(configuration.server.ledger);
      budgets.reconfigure(configuration.budgets);
    },
    hear(message: FromRelayThread) {
      if (message.type === 'journal-closed') ledger.segmentClosed(message.thread, message.segment, message.end);
      else if (message.type === 'journal-failed') ledger.journalFailed(message.thread, message.reason);
      else if (message.type === 'budget-refuses') budgets.refuses(message.window);
    },
    threadDied: (thread) => ledger.threadDied(thread),
    async close() {
      await ledger.close(CLOSE_MS);
      await budgets.close();
    },
  };
}
