import { AlertSender } from '../alerts/alert-sender.ts';
import { BudgetWatch } from '../alerts/budget-watch.ts';
import { DeliveryLog } from '../alerts/delivery-log.ts';
import type { BudgetRule } from '../config/rules/counted-rules.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { BudgetWindowKey } from '../counters/budget-groups.ts';
import { BudgetSpending, type SpendingCounters } from '../ledger/budget-spending.ts';
import { BudgetWindows, currentWindows, forgetOldWindows, spentIn } from '../ledger/budget-windows.ts';
import type { LedgerHook } from '../ledger/ledger-hook.ts';
import type { Database } from '../store/database.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';

export interface BudgetServiceOptions {
  readonly database: Database;
  readonly gatewayId: string;
  readonly budgets: readonly BudgetRule[];
  readonly counters: SpendingCounters;
  /** Other gateways write to the same database. */
  readonly followsOthers: boolean;
  readonly registry: MetricRegistry;
  readonly http: HttpClient;
  readonly log: Log;
  /** What windows hold over all gateways, some time after they were charged. */
  readonly onSpent: (windows: Awaited<ReturnType<typeof spentIn>>) => void;
}

const FORGET_EVERY_MS = 86_400_000;
/** How long a stop waits for messages that are on their way. */
const ALERTS_GRACE_MS = 5_000;

/**
 * All of budgets that lasts, on the main thread: what they spent, what the counts of relay threads must know of it, who is
 * told. Needs the ledger: without it budgets count from zero at each start, and nobody is told.
 */
export class BudgetService {
  readonly hook: LedgerHook;
  readonly #options: BudgetServiceOptions;
  readonly #windows: BudgetWindows;
  readonly #spending: BudgetSpending;
  readonly #sender: AlertSender;
  readonly #watch: BudgetWatch;
  #budgets: readonly BudgetRule[];
  #forgetting: NodeJS.Timeout | undefined;

  constructor(options: BudgetServiceOptions) {
    const { database, gatewayId, budgets, counters, registry, http, log } = options;
    this.#options = options;
    this.#budgets = budgets;
    const deliveries = new DeliveryLog(database, log);
    this.#sender = new AlertSender({ http, log, onDelivery: (report) => void deliveries.record(report) });
    this.#watch = new BudgetWatch({
      database,
      budgets,
      log,
      sender: this.#sender,
      spentIn: async (keys) => {
        const windows = await spentIn(database, keys);
        options.onSpent(windows);
        return windows;
      },
    });
    this.#windows = new BudgetWindows({
      gateway: gatewayId,
      budgets,
      onCharged: (charges) => this.#watch.charged(charges),
    });
    this.hook = this.#windows;
    this.#spending = new BudgetSpending({ database, gateway: gatewayId, counters, budgets, log });
    this.#sender.register(registry);
    this.#watch.usage.register(registry);
  }

  /** After the journals of earlier runs were written, before relay threads listen. */
  async start(): Promise<void> {
    const { database, followsOthers } = this.#options;
    await this.#spending.seed();
    if (followsOthers) this.#spending.follow();
    this.#watch.start(await currentWindows(database, this.#budgets, Date.now()));
    const forget = (): void => this.#quietly(() => forgetOldWindows(database, Date.now()));
    forget();
    this.#forgetting = setInterval(forget, FORGET_EVERY_MS).unref();
  }

  /** Before relay threads are told of the new configuration: no charge of theirs may be unknown here. */
  reconfigure(budgets: readonly BudgetRule[]): void {
    this.#budgets = budgets;
    this.#windows.configure(budgets);
    this.#watch.configure(budgets);
    this.refresh();
  }

  /** A request did not fit into this window. */
  refuses(window: BudgetWindowKey): void {
    this.#watch.refuses(window);
  }

  /** The database may hold what the counts do not know: budgets that came back, a journal that was replayed late. */
  refresh(): void {
    const budgets = this.#budgets;
    this.#quietly(async () => {
      await this.#spending.seed(budgets);
      this.#watch.charged(await currentWindows(this.#options.database, budgets, Date.now()));
    });
  }

  /** After the last batch of the ledger, before the database is closed. */
  async close(): Promise<void> {
    clearInterval(this.#forgetting);
    this.#spending.stop();
    await this.#watch.looked();
    await this.#sender.close(ALERTS_GRACE_MS);
    this.#watch.stop();
  }

  #quietly(work: () => Promise<void>): void {
    work().catch((error) => {
      this.#options.log.error({ code: 'budget_keeping_failed', error }, 'the spending of budgets cannot be read');
    });
  }
}
