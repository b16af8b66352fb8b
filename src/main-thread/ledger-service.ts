import { setTimeout as delay } from 'node:timers/promises';
import type { BudgetRule, Configuration, ServerSettings } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { BudgetWindowKey } from '../counters/budget-groups.ts';
import { budgetCellName } from '../counters/cell.ts';
import { RedisBudgetSeed, type BudgetWindow as SeededWindow } from '../counters/redis-budget-seed.ts';
import type { SpendingCounters } from '../ledger/budget-spending.ts';
import { type BudgetWindow, currentWindows } from '../ledger/budget-windows.ts';
import { type Ledger, startLedger } from '../ledger/ledger.ts';
import { registerLedger } from '../ledger/ledger-metrics.ts';
import type { Database } from '../store/database.ts';
import { loadOrMakeGatewayId } from '../store/gateway-id.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import type { JournalPlace, RelayThreadData } from '../threads/messages.ts';
import { BudgetKeeping } from './budget-service.ts';

/** How long a start waits for the journal of a crash, and an end for what the database has not taken yet. */
const REPLAY_MS = 10_000;
const CLOSE_MS = 10_000;

export interface LedgerKeepingOptions {
  readonly database: Database;
  readonly server: ServerSettings;
  /** Of the configuration in force. */
  readonly budgets: () => readonly BudgetRule[];
  readonly counters: SpendingCounters;
  readonly registry: MetricRegistry;
  readonly log: Log;
  /** The journal is full, or has room again. */
  readonly onFull: (full: boolean) => void;
}

/** Ledger and budgets on the main thread, and what Redis must know of budgets. Without a ledger all of it does little. */
export class LedgerKeeping {
  readonly #options: LedgerKeepingOptions;
  readonly #seed: RedisBudgetSeed | undefined;
  #ledger: Ledger | undefined;
  #budgets: BudgetKeeping | undefined;
  #full = false;

  private constructor(options: LedgerKeepingOptions) {
    const { server, log } = options;
    const { counters } = server.store;
    this.#options = options;
    const windows = () => this.#seededWindows();
    if (counters !== 'memory')
      this.#seed = new RedisBudgetSeed({ url: counters, timeoutMs: server.counters.timeoutMs, windows, log });
  }

  /** With what earlier runs left in their journals already written, so that budgets begin with all that was spent. */
  static async open(options: LedgerKeepingOptions): Promise<LedgerKeeping> {
    const keeping = new LedgerKeeping(options);
    if (options.server.ledger.enabled) await keeping.#open();
    else if (options.budgets().length > 0)
      options.log.warn({}, 'ledger.enabled is false: budgets begin anew at each start');
    await keeping.#seed?.start();
    return keeping;
  }

  /** For a relay thread that is born now. */
  get journal(): RelayThreadData['journal'] {
    return this.#ledger && { folder: this.#ledger.journalFolder, full: this.#full };
  }

  take(thread: number, frame: RecordFrame, place: JournalPlace | undefined): void {
    this.#ledger?.take(thread, frame, place);
  }

  segmentClosed(thread: number, segment: string, end: number): void {
    this.#ledger?.segmentClosed(thread, segment, end);
  }

  journalFailed(thread: number, reason: string): void {
    this.#ledger?.journalFailed(thread, reason);
  }

  threadDied(thread: number): void {
    this.#ledger?.threadDied(thread);
  }

  budgetRefuses(window: BudgetWindowKey): void {
    this.#budgets?.refuses(window);
  }

  /** The database may hold what the counts do not know. */
  refreshBudgets(): void {
    this.#budgets?.refresh();
  }

  /** Before relay threads are told. */
  reconfigure({ server, budgets }: Configuration): void {
    this.#ledger?.reconfigure(server.ledger);
    this.#budgets?.reconfigure(budgets);
  }

  /** After the last relay thread, before the database is closed. */
  async close(): Promise<void> {
    this.#seed?.stop();
    await this.#ledger?.close(CLOSE_MS);
    await this.#budgets?.close();
  }

  async #open(): Promise<void> {
    const { database, server, counters, registry, log } = this.#options;
    const warn = (message: string): void => log.warn({}, message);
    const gatewayId = server.gatewayId ?? (await loadOrMakeGatewayId(server.dataDir, warn));
    const budgets = new BudgetKeeping({
      database,
      gatewayId,
      budgets: this.#options.budgets(),
      counters,
      // With Redis too: while it is away, this machine's counts are what decides.
      followsOthers: database.engine === 'postgres',
      onSpent: (windows) => this.#seed?.push(windows.map(seededWindow)),
      registry,
      log,
    });
    this.#budgets = budgets;
    this.#ledger = await startLedger({
      database,
      dataDir: server.dataDir,
      gatewayId,
      settings: server.ledger,
      hooks: [budgets.hook],
      log,
      onFull: (full) => {
        // Threads that are not born yet are told at their birth.
        this.#full = full;
        this.#options.onFull(full);
      },
    });
    registerLedger(registry, this.#ledger);
    // Beyond it a large journal is replayed beside what is served.
    const replayed = this.#ledger.replayed.then(() => true);
    const inTime = await Promise.race([replayed, delay(REPLAY_MS, false, { ref: false })]);
    await budgets.start();
    if (!inTime) replayed.then(() => budgets.refresh());
  }

  /** A budget that was spent is spent in a Redis that was emptied, too. */
  async #seededWindows(): Promise<SeededWindow[]> {
    const { database, server, budgets } = this.#options;
    if (!server.ledger.enabled) return [];
    return (await currentWindows(database, budgets(), Date.now())).map(seededWindow);
  }
}

function seededWindow({ budget, unit, group, period, periodStart, spent }: BudgetWindow): SeededWindow {
  return { cell: budgetCellName(budget, unit, group), period, periodStartMs: periodStart, spent };
}
