import { ClientClosedError, createClient, DisconnectsClientError, SocketClosedUnexpectedlyError } from '@redis/client';
import { SCRIPTS, type Script } from './redis-scripts.ts';

/** Commands that may wait for an answer on one connection: more than exchanges that may be open. */
const MAX_WAITING = 32_768;

/** One script that was sent. Exactly one of the two is called, once, unless the connection is closed by its owner. */
export interface Call {
  answered(reply: unknown): void;
  /** The connection failed before the answer came; whether Redis did it is not known. */
  lost(): void;
}

/** To connect, to authenticate and to be taught the scripts takes several round trips; no request waits for it, a start does. */
const SHORTEST_OPEN_MS = 2_000;
const LONGEST_OPEN_MS = 5_000;

/** Why Redis could not be asked; the message holds no address and no password. */
class RedisFault extends Error {
  override readonly name = 'RedisFault';
}

export interface RedisConnectionOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /** Once; nothing is sent any more and what waited was told. */
  readonly onFailed: (reason: string) => void;
}

type Client = ReturnType<typeof createClient>;

const CLOSED = 'the connection was closed';

/**
 * One connection, from when it is ready until it fails: it is never mended, its owner opens another one. Commands are
 * pipelined; answers come in the order of the commands, so that the oldest one is the only one whose deadline need be
 * looked at, and one timer does for all of them. What is sent while Redis hangs is bounded, and nothing waits for a
 * connection that is not there.
 */
export class RedisConnection {
  readonly #client: Client;
  readonly #options: RedisConnectionOptions;
  /** Rings, in the order they were sent. */
  readonly #calls: (Call | undefined)[] = new Array(MAX_WAITING);
  readonly #sentAt = new Float64Array(MAX_WAITING);
  #sent = 0;
  #answered = 0;
  #timer: NodeJS.Timeout | undefined;
  #failed = false;
  timeoutMs: number;

  private constructor(client: Client, options: RedisConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.timeoutMs = options.timeoutMs;
    client.on('error', (error: Error) => this.#fail(reasonOf(error)));
    client.on('end', () => this.#fail(CLOSED));
  }

  /** Ready: connected, authenticated, and it has answered once. Rejects with a RedisFault. */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const { url } = options;
    const openMs = Math.min(LONGEST_OPEN_MS, Math.max(SHORTEST_OPEN_MS, options.timeoutMs));
    let client: Client;
    try {
      client = createClient({
        url,
        RESP: 2,
        disableOfflineQueue: true,
        disableClientInfo: true,
        maintNotifications: 'disabled',
        commandsQueueMaxLength: MAX_WAITING,
        // Its own deadline makes an AbortSignal and a listener for every command.
        commandOptions: { timeout: 0 },
        socket: { connectTimeout: openMs, reconnectStrategy: false },
      });
    } catch {
      // The library's message would hold the URL, and with it the password.
      throw new RedisFault('store.counters is not a URL of a Redis');
    }
    let failure: unknown;
    const keepFailure = (error: unknown): void => {
      failure = error;
    };
    client.on('error', keepFailure);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new RedisFault(`no answer within ${openMs} ms`)), openMs);
    });
    try {
      await Promise.race([client.connect().then(() => teachAll(client)), deadline]);
    } catch (error) {
      client.destroy();
      throw error instanceof RedisFault ? error : new RedisFault(reasonOf(failure ?? error));
    } finally {
      clearTimeout(timer);
    }
    client.off('error', keepFailure);
    return new RedisConnection(client, options);
  }

  get alive(): boolean {
    return !this.#failed;
  }

  /** `command`: an EVALSHA of `script`. False, and nothing done: it has failed, or as many as may are waiting. */
  run(script: Script, command: string[], call: Call): boolean {
    if (this.#failed || this.#sent - this.#answered >= MAX_WAITING) return false;
    const index = this.#sent % MAX_WAITING;
    this.#calls[index] = call;
    this.#sentAt[index] = performance.now();
    this.#sent += 1;
    this.#client.sendCommand<unknown>(command).then(this.#onReply, (error: Error) => {
      if (this.#failed) return;
      if (!error.message.startsWith('NOSCRIPT')) {
        this.#fail(reasonOf(error));
        return;
      }
      // It forgot, or may not be taught ahead. Those sent behind it meet the same and are sent again in the same order.
      this.#answered += 1;
      this.#calls[index] = undefined;
      this.#teach(script, command, call);
    });
    this.#timer ??= this.#checkIn(this.timeoutMs);
    return true;
  }

  /** Sends no more and tells nobody; what was sent may still be done. */
  close(): void {
    this.#failed = true;
    clearTimeout(this.#timer);
    this.#client.destroy();
  }

  #onReply = (reply: unknown): void => {
    if (this.#failed) return;
    const index = this.#answered % MAX_WAITING;
    const call = this.#calls[index];
    this.#calls[index] = undefined;
    this.#answered += 1;
    call?.answered(reply);
  };

  #teach(script: Script, command: readonly string[], call: Call): void {
    const index = this.#sent % MAX_WAITING;
    this.#calls[index] = call;
    this.#sentAt[index] = performance.now();
    this.#sent += 1;
    this.#client
      .sendCommand<unknown>(['EVAL', script.source, ...command.slice(2)])
      .then(this.#onReply, (error: Error) => this.#fail(reasonOf(error)));
    this.#timer ??= this.#checkIn(this.timeoutMs);
  }

  #checkIn(ms: number): NodeJS.Timeout {
    return setTimeout(this.#check, Math.max(1, Math.ceil(ms))).unref();
  }

  #check = (): void => {
    this.#timer = undefined;
    if (this.#failed || this.#sent === this.#answered) return;
    const leftMs = this.#leftMs();
    // Where this thread itself was busy, the answer lies in the socket unread: it is read before that is judged.
    if (leftMs <= 0) setImmediate(this.#checkAfterReading);
    else this.#timer = this.#checkIn(leftMs);
  };

  #checkAfterReading = (): void => {
    if (this.#failed || this.#sent === this.#answered) return;
    const leftMs = this.#leftMs();
    if (leftMs <= 0) this.#fail(`no answer within ${this.timeoutMs} ms`);
    else this.#timer ??= this.#checkIn(leftMs);
  };

  #leftMs(): number {
    return this.#sentAt[this.#answered % MAX_WAITING]! + this.timeoutMs - performance.now();
  }

  #fail(reason: string): void {
    if (this.#failed) return;
    this.close();
    this.#options.onFailed(reason);
    for (; this.#answered < this.#sent; this.#answered += 1) {
      const index = this.#answered % MAX_WAITING;
      const call = this.#calls[index];
      this.#calls[index] = undefined;
      call?.lost();
    }
  }
}

/** Without it the first burst of requests would each send the whole source. One that refuses (ACL) is taught by EVAL. */
async function teachAll(client: Client): Promise<void> {
  await client.sendCommand(['PING']);
  const loads = SCRIPTS.map(({ source }) => client.sendCommand(['SCRIPT', 'LOAD', source]));
  await Promise.allSettled(loads);
}

const CLOSED_ERRORS = [ClientClosedError, DisconnectsClientError, SocketClosedUnexpectedlyError];

/** What Redis says itself names no password; addresses are left to the code of the operating system. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  // Whichever comes first; the client's words are about itself.
  if (CLOSED_ERRORS.some((kind) => error instanceof kind)) return CLOSED;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? code : error.message.slice(0, 160);
}
