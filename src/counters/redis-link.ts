import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cell } from './cell.ts';
import { type Call, RedisConnection } from './redis-connection.ts';
import { BEAT, HOLD, LEAVE, REGISTER, type Script } from './redis-scripts.ts';
import { cellKey, heldKey, numbersOf, OWNERS_KEY, windowArgument } from './redis-words.ts';

export interface Held {
  readonly cell: Cell;
  amount: number;
}

export interface RedisLinkOptions {
  readonly url: string;
  /** Begins the names of its owners: `<gateway>/<thread>`. */
  readonly name: string;
  timeoutMs(): number;
  /** What scripts are told; 0: they take Redis' own. */
  time(): number;
  /** Reservations that are open now and must be held under the new owner. Called when it comes up, in the same turn as `onUp`. */
  held(): readonly Held[];
  /** Redis answers: whatever is sent from now on comes behind what is held. */
  onUp(redisNowMs: number): void;
  /** Once until it is up again: further attempts that fail are not news. */
  onDown(reason: string): void;
}

const START_MS = 6_000;
const BEAT_MS = 3_000;
const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 5_000;
/** Redis that goes again so soon after it came was not well: the wait before the next attempt grows on. */
const STABLE_MS = 10_000;
/** Owners that Redis may still know from attempts that were cut short; of older ones it has learnt by itself. */
const MAX_FORMER = 8;
/** Cells of one HOLD: each step of Redis must stay short for all who wait behind it. */
const HELD_AT_ONCE = 250;

const IGNORED: Call = { answered: () => {}, lost: () => {} };

/**
 * A relay thread's way to Redis: a circuit. It is up (commands are sent) or away (nothing is sent and nobody waits; one
 * attempt at a time runs in the background, later each time). Every time it comes up it is a new owner, to which
 * everything that is held is moved: so what an earlier connection sent, and nobody knows whether it was done, holds
 * nothing for ever.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  #connection: RedisConnection | undefined;
  #owner = '';
  /** Whose holds Redis may still have. */
  #former: string[] = [];
  #retryMs = RETRY_FIRST_MS;
  #upAt = 0;
  #beat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  #saidAway = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#connection !== undefined;
  }

  /** Resolves after the first attempt, however it went; a Redis that is slow to answer is waited for no longer than that. */
  async start(): Promise<void> {
    await Promise.race([this.#attempt(), delay(START_MS, undefined, { ref: false })]);
  }

  /** False, and nothing sent: it is away, or too much waits. */
  run(script: Script, cells: readonly string[], args: readonly string[], call: Call): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    return connection.run(script, this.#command(script, cells, args), call);
  }

  reconfigure(): void {
    if (this.#connection) this.#connection.timeoutMs = this.#options.timeoutMs();
  }

  /** Gives back what is still held, waiting no longer than for one command. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#beat);
    await new Promise<void>((resolve) => {
      const done = { answered: () => resolve(), lost: () => resolve() };
      if (!this.run(LEAVE, [], [], done)) resolve();
    });
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #attempt(): Promise<void> {
    const timeoutMs = this.#options.timeoutMs();
    let connection: RedisConnection;
    try {
      connection = await RedisConnection.open({
        url: this.#options.url,
        timeoutMs,
        onFailed: (reason) => this.#down(reason),
      });
    } catch (error) {
      this.#down((error as Error).message);
      return;
    }
    if (this.#stopped) {
      connection.close();
      return;
    }
    this.#owner = `${this.#options.name}/${randomBytes(6).toString('hex')}`;
    this.#former = [...this.#former.slice(-MAX_FORMER), this.#owner];
    await new Promise<void>((resolve) => {
      const call: Call = {
        answered: (reply) => {
          this.#registered(connection, numbersOf(reply));
          resolve();
        },
        lost: resolve,
      };
      const command = this.#command(REGISTER, [], this.#former.slice(0, -1));
      if (!connection.run(REGISTER, command, call)) resolve();
    });
  }

  #command(script: Script, cells: readonly string[], args: readonly string[]): string[] {
    const owner = this.#owner;
    const keys = String(2 + cells.length);
    const time = String(this.#options.time());
    return ['EVALSHA', script.sha, keys, OWNERS_KEY, heldKey(owner), ...cells, owner, time, ...args];
  }

  #registered(connection: RedisConnection, [redisNowMs = Date.now(), seeded = 0]: readonly number[]): void {
    if (seeded === 0) {
      connection.close();
      this.#former.pop();
      this.#retryMs = RETRY_FIRST_MS;
      this.#down('its budgets are not brought over yet');
      return;
    }
    this.#former = [this.#owner];
    this.#connection = connection;
    this.#upAt = performance.now();
    this.#beat = setInterval(() => this.run(BEAT, [], [], IGNORED), BEAT_MS).unref();
    const held = this.#options.held();
    for (let from = 0; from < held.length; from += HELD_AT_ONCE) {
      const some = held.slice(from, from + HELD_AT_ONCE);
      const args = some.flatMap(({ cell, amount }) => [windowArgument(cell), `${amount}`]);
      this.run(
        HOLD,
        some.map(({ cell }) => cellKey(cell)),
        args,
        IGNORED,
      );
    }
    this.#saidAway = false;
    this.#options.onUp(redisNowMs);
  }

  #down(reason: string): void {
    clearInterval(this.#beat);
    this.#connection = undefined;
    if (this.#stopped) return;
    const stable = this.#upAt > 0 && performance.now() - this.#upAt > STABLE_MS;
    this.#upAt = 0;
    this.#retryMs = stable ? RETRY_FIRST_MS : Math.min(RETRY_LONGEST_MS, this.#retryMs * 2);
    // Spread, so that the threads of all gateways do not come at once.
    const delayMs = this.#retryMs * (0.5 + Math.random() / 2);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#attempt(), delayMs).unref();
    if (!this.#saidAway) this.#options.onDown(reason);
    this.#saidAway = true;
  }
}
