import { setTimeout as delay } from 'node:timers/promises';
import { createClient, RESP_TYPES } from '@redis/client';

/** Questions that may wait for an answer; beyond them one is not asked. */
const MAX_WAITING = 1_024;
/** Bytes of values on their way; beyond them one is not kept. */
const MAX_SENDING_BYTES = 67_108_864;
const RETRY_FIRST_MS = 200;
const RETRY_LONGEST_MS = 5_000;
const CONNECT_MS = 5_000;
const START_MS = 2_000;
const SCAN_COUNT = '1000';

export interface RedisValuesOptions {
  readonly url: string;
  /** A question that takes longer is not waited for, and the connection counts as away. */
  timeoutMs(): number;
  /** Once until it is up again. */
  onAway(reason: string): void;
  onBack(): void;
}

/** Values of a list, in order, and the name of the last one. */
export interface Appended {
  readonly values: readonly Buffer[];
  /** Undefined: there is none. */
  readonly last: string | undefined;
}

function connectionTo(url: string) {
  return createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    commandsQueueMaxLength: 2 * MAX_WAITING,
    commandOptions: { timeout: 0 },
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
}

type Client = ReturnType<typeof connectionTo>;

/**
 * Values by key in Redis, each with its end. A circuit: up, or away, and then nobody waits while it is opened again in
 * the background. No value and no address stands in what it says of a failure.
 */
export class RedisValues {
  readonly #options: RedisValuesOptions;
  #client: Client | undefined;
  #waiting = 0;
  #sendingBytes = 0;
  #retryMs = RETRY_FIRST_MS;
  #retry: NodeJS.Timeout | undefined;
  #saidAway = false;
  #closed = false;

  constructor(options: RedisValuesOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#client !== undefined;
  }

  /** Resolves after the first attempt, however it went; one that is slow is waited for no longer than that. */
  async start(): Promise<void> {
    await Promise.race([this.#open(), delay(START_MS, undefined, { ref: false })]);
  }

  /** Undefined: there is none; `away`: it is not known. */
  async get(key: string): Promise<Buffer | 'away' | undefined> {
    const reply = await this.#ask(['GET', key]);
    if (reply === 'away') return reply;
    return Buffer.isBuffer(reply) ? reply : undefined;
  }

  /** Kept if it can be. */
  set(key: string, value: Buffer, ttlMs: number): void {
    if (this.#sendingBytes + value.length > MAX_SENDING_BYTES) return;
    this.#sendingBytes += value.length;
    const done = (): void => {
      this.#sendingBytes -= value.length;
    };
    void this.#ask(['SET', key, value, 'PX', String(ttlMs)]).then(done, done);
  }

  /** Adds to a list that keeps about so many at its end. Nobody waits for it. */
  append(key: string, value: Buffer, maxLength: number, ttlMs: number): void {
    if (this.#sendingBytes + value.length > MAX_SENDING_BYTES) return;
    this.#sendingBytes += value.length;
    const done = (): void => {
      this.#sendingBytes -= value.length;
    };
    void this.#ask(['XADD', key, 'MAXLEN', String(maxLength), '*', 'v', value]).then(done, done);
    void this.#ask(['PEXPIRE', key, String(ttlMs)]);
  }

  /** What was added behind the one of that name, or the newest of all; at most so many. `away`: it is not known. */
  async behind(key: string, after: string | undefined, count: number): Promise<Appended | 'away'> {
    const limit = ['COUNT', String(count)];
    const reply =
      after === undefined
        ? await this.#ask(['XREVRANGE', key, '+', '-', ...limit])
        : await this.#ask(['XRANGE', key, `(${after}`, '+', ...limit]);
    if (!Array.isArray(reply)) return 'away';
    const entries: readonly unknown[] = after === undefined ? reply.reverse() : reply;
    const values: Buffer[] = [];
    let last: string | undefined;
    for (const entry of entries) {
      if (!Array.isArray(entry)) continue;
      const [name, fields]: readonly unknown[] = entry;
      last = String(name);
      const value: unknown = Array.isArray(fields) ? fields[1] : undefined;
      if (Buffer.isBuffer(value)) values.push(value);
    }
    return { values, last };
  }

  /** Drops all whose key begins so, and says how many; undefined: Redis is away, and some may be left. */
  async drop(prefix: string): Promise<number | undefined> {
    let cursor = '0';
    let dropped = 0;
    do {
      const reply = await this.#ask(['SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', SCAN_COUNT]);
      if (!Array.isArray(reply)) return undefined;
      const [next, keys] = reply as [unknown, unknown];
      cursor = String(next);
      if (!Array.isArray(keys) || keys.length === 0) continue;
      const count = await this.#ask(['UNLINK', ...keys.map(String)]);
      if (count === 'away') return undefined;
      dropped += Number(count);
    } while (cursor !== '0');
    return dropped;
  }

  /** The answer of a script; `away`: it is not known, and not whether it was run. */
  async run(script: string, keys: readonly string[], values: readonly string[]): Promise<unknown> {
    return this.#ask(['EVAL', script, String(keys.length), ...keys, ...values]);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#client?.destroy();
    this.#client = undefined;
  }

  async #ask(command: (string | Buffer)[]): Promise<unknown> {
    const client = this.#client;
    if (client === undefined || this.#waiting >= MAX_WAITING) return 'away';
    this.#waiting += 1;
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const timer = setTimeout(resolve, this.#options.timeoutMs(), 'late');
    try {
      const reply = await Promise.race([client.sendCommand<unknown>(command), late]);
      if (reply !== 'late') return reply;
      this.#down(client, `no answer within ${this.#options.timeoutMs()} ms`);
      return 'away';
    } catch (error) {
      // What Redis refuses (no memory left for a value) says nothing of the connection.
      if (!client.isReady) this.#down(client, reasonOf(error));
      return 'away';
    } finally {
      clearTimeout(timer);
      this.#waiting -= 1;
    }
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    let client: Client;
    try {
      client = connectionTo(this.#options.url);
    } catch {
      // The library's message would hold the URL, and with it the password.
      this.#away('its address is not a URL of a Redis');
      return;
    }
    let failure: unknown;
    client.on('error', (error: unknown) => {
      failure = error;
      if (this.#client === client) this.#down(client, reasonOf(error));
    });
    client.on('end', () => {
      if (this.#client === client) this.#down(client, 'the connection was closed');
    });
    try {
      await client.connect();
    } catch (error) {
      client.destroy();
      this.#away(reasonOf(failure ?? error));
      return;
    }
    if (this.#closed) {
      client.destroy();
      return;
    }
    this.#client = client;
    this.#retryMs = RETRY_FIRST_MS;
    if (this.#saidAway) this.#options.onBack();
    this.#saidAway = false;
  }

  #down(client: Client, reason: string): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    // Each waiting command is told by its deadline, or by its own end.
    client.destroy();
    this.#away(reason);
  }

  #away(reason: string): void {
    if (this.#closed) return;
    if (!this.#saidAway) this.#options.onAway(reason);
    this.#saidAway = true;
    const delayMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(RETRY_LONGEST_MS, 2 * this.#retryMs);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), delayMs).unref();
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : error.name;
}
