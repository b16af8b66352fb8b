import type { BudgetPeriod } from '../config/rules/counted-rules.ts';
import type { Log } from '../core/log.ts';
import { type Call, RedisConnection } from './redis-connection.ts';
import { SEED, SEEDED } from './redis-scripts.ts';
import { nameKey } from './redis-words.ts';

/** What the database says was spent of one limit of a budget, over all gateways, in the period that holds now. */
export interface BudgetWindow {
  /** budgetCellName */
  readonly cell: string;
  readonly period: BudgetPeriod;
  readonly periodStartMs: number;
  /** Nano-dollars or tokens. */
  readonly spent: number;
}

export interface RedisBudgetSeedOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /** All current ones. */
  readonly windows: () => Promise<readonly BudgetWindow[]>;
  readonly log: Log;
}

const CHECK_MS = 1_000;
const RETRY_LONGEST_MS = 1_000;
const RETRY_FIRST_MS = 100;
const WINDOWS_AT_ONCE = 200;
/** A start waits for it. */
const LONGEST_WAIT_MS = 5_000;

/**
 * On the main thread, with a connection of its own: brings budgets from the database, which is the truth, to Redis. All
 * of them when the gateway starts, when Redis was away and when it was emptied; a relay thread does not ask a Redis to
 * which they were not brought, or a spent budget would be as good as new. What was spent while Redis was away comes to
 * it in the same way.
 */
export class RedisBudgetSeed {
  readonly #options: RedisBudgetSeedOptions;
  #connection: RedisConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  #stopped = false;
  #faultLogged = false;

  constructor(options: RedisBudgetSeedOptions) {
    this.#options = options;
  }

  /** Resolves after the first attempt, however it went; it goes on by itself. */
  async start(): Promise<void> {
    const done = await this.#bringAll();
    if (this.#stopped) return;
    this.#retryMs = done ? RETRY_FIRST_MS : Math.min(RETRY_LONGEST_MS, this.#retryMs * 2);
    this.#timer = setTimeout(() => this.#watch(), done ? CHECK_MS : this.#retryMs).unref();
  }

  /** Those that changed. Where Redis is away all of them follow when it is back. */
  push(windows: readonly BudgetWindow[]): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    send(connection, windows, 'some').catch(() => {
      // The connection failed, which #failed has seen.
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #watch(): Promise<void> {
    const there = this.#connection && (await run(this.#connection, SEEDED, [], []).catch(() => 0));
    if (this.#stopped) return;
    if (there === 1) this.#timer = setTimeout(() => this.#watch(), CHECK_MS).unref();
    else await this.start();
  }

  async #bringAll(): Promise<boolean> {
    const { url, windows, log } = this.#options;
    const timeoutMs = Math.min(LONGEST_WAIT_MS, this.#options.timeoutMs);
    try {
      this.#connection ??= await RedisConnection.open({ url, timeoutMs, onFailed: () => this.#failed() });
    } catch {
      // The relay threads say that it is away.
      return false;
    }
    try {
      await send(this.#connection, await windows(), 'all');
      this.#faultLogged = false;
      return true;
    } catch (error) {
      if (!this.#faultLogged)
        log.error({ code: 'budget_seed_failed', error }, 'budgets cannot be brought to Redis; it is tried again');
      this.#faultLogged = true;
      return false;
    }
  }

  #failed(): void {
    this.#connection = undefined;
  }
}

async function send(
  connection: RedisConnection,
  windows: readonly BudgetWindow[],
  which: 'all' | 'some',
): Promise<void> {
  for (let from = 0; from === 0 || from < windows.length; from += WINDOWS_AT_ONCE) {
    const some = windows.slice(from, from + WINDOWS_AT_ONCE);
    const last = from + WINDOWS_AT_ONCE >= windows.length;
    const keys = some.map(({ cell }) => nameKey(cell));
    const args = some.flatMap((each) => [each.period, String(each.periodStartMs), String(each.spent)]);
    await run(connection, SEED, keys, [last ? which : 'some', '0', ...args]);
  }
}

function run(
  connection: RedisConnection,
  script: typeof SEED,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new Error('Redis went away'));
    const call: Call = { answered: resolve, lost };
    const command = ['EVALSHA', script.sha, String(keys.length), ...keys, ...args];
    if (!connection.run(script, command, call)) lost();
  });
}
