import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { RequestBodiesRow } from '../store/request-bodies.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { FromRelayThread, ToRelayThread } from '../threads/messages.ts';
import type {
  CapturedMessage,
  FromRequestLogThread,
  RequestLogCounts,
  ToRequestLogThread,
} from '../threads/request-log-messages.ts';
import type { MainService } from './main-service.ts';

export interface RequestLogServiceOptions {
  readonly entry: URL;
  readonly log: Log;
  /** Rejects where the database does not take them. */
  keep(rows: readonly RequestBodiesRow[]): Promise<void>;
  tell(thread: number, message: ToRelayThread): void;
}

const CLOSE_MS = 5_000;
const EXIT_MS = 1_000;
/** After a death, so that one that dies at once again and again does not eat the machine. */
const RESTART_MS = 5_000;

const NOTHING: RequestLogCounts = { kept: 0, failed: 0, delivered: 0, undelivered: 0, 'hooks-dropped': 0 };

/** The main thread's side of the thread of the request log (request-log-thread/). It begins with the first bodies. */
export class RequestLogService implements MainService {
  readonly #options: RequestLogServiceOptions;
  #worker: Worker | undefined;
  #configuration: Configuration | undefined;
  #counts = NOTHING;
  /** The sums of threads that died. */
  #before = NOTHING;
  #dropped = 0;
  /** Bytes that relay threads were not told of yet, by thread: of a worker that dies they wait no more. */
  readonly #owed = new Map<number, number>();
  #mayBeginAt = 0;
  #closing = false;
  #onClosed: (() => void) | undefined;

  constructor(options: RequestLogServiceOptions) {
    this.#options = options;
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'sluice_request_log_total',
      'Exchanges whose bodies were to be kept, by what became of them',
      () => [
        { labels: { outcome: 'kept' }, value: this.#sum('kept') },
        { labels: { outcome: 'failed' }, value: this.#sum('failed') },
        { labels: { outcome: 'dropped' }, value: this.#dropped },
      ],
    );
    registry.family(
      'counter',
      'sluice_request_log_webhooks_total',
      'Exchanges for webhooks, by what became of them',
      () => [
        { labels: { outcome: 'delivered' }, value: this.#sum('delivered') },
        { labels: { outcome: 'failed' }, value: this.#sum('undelivered') },
        { labels: { outcome: 'dropped' }, value: this.#sum('hooks-dropped') },
      ],
    );
  }

  reconfigure(configuration: Configuration): void {
    this.#configuration = configuration;
    if (this.#worker !== undefined) this.#configure(configuration);
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'request-log') this.#take(message);
  }

  threadDied(thread: number): void {
    // The next one of this number holds nothing yet.
    this.#owed.delete(thread);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#post({ type: 'close', withinMs: CLOSE_MS });
    await Promise.race([closed, delay(2 * CLOSE_MS + EXIT_MS, undefined, { ref: false })]);
    await worker.terminate();
  }

  #take(message: CapturedMessage): void {
    const { thread, bytes, exchanges, dropped } = message;
    this.#dropped += dropped;
    if (exchanges.length === 0) return;
    const worker = this.#begun();
    if (worker === undefined) {
      this.#dropped += exchanges.length;
      this.#options.tell(thread, { type: 'request-log-taken', bytes });
      return;
    }
    this.#owed.set(thread, (this.#owed.get(thread) ?? 0) + bytes);
    const starts = exchanges.flatMap(({ request, response }) => [request.start, response.start]);
    this.#post(
      message,
      starts.flatMap((start) => (start === undefined ? [] : [start.buffer])),
    );
  }

  /** Undefined: the last one died a moment ago. */
  #begun(): Worker | undefined {
    const configuration = this.#configuration;
    if (this.#worker !== undefined || this.#closing || configuration === undefined) return this.#worker;
    if (performance.now() < this.#mayBeginAt) return undefined;
    const worker = new Worker(this.#options.entry, { name: 'request-log' });
    worker.on('message', (message: FromRequestLogThread) => this.#hear(message));
    worker.on('error', (error) => this.#options.log.error({ error }, 'the thread of the request log failed'));
    worker.on('exit', () => this.#onExit());
    this.#worker = worker;
    this.#configure(configuration);
    return worker;
  }

  #configure({ requestLoggers, server }: Configuration): void {
    this.#post({ type: 'configure', configuration: { requestLoggers, server } });
  }

  #hear(message: FromRequestLogThread): void {
    const { log, keep } = this.#options;
    switch (message.type) {
      case 'keep': {
        const { number } = message;
        keep(message.rows).then(
          () => this.#post({ type: 'kept', number, isKept: true }),
          (error) => {
            log.warn({ error }, 'bodies could not be kept');
            this.#post({ type: 'kept', number, isKept: false });
          },
        );
        return;
      }
      case 'taken':
        this.#taken(message.thread, message.bytes);
        return;
      case 'counts':
        this.#counts = message.counts;
        return;
      case 'log':
        log[message.level](message.fields, message.message);
        return;
      case 'closed':
        this.#counts = message.counts;
        this.#onClosed?.();
    }
  }

  #taken(thread: number, bytes: number): void {
    const owed = Math.min(bytes, this.#owed.get(thread) ?? 0);
    if (owed === 0) return;
    this.#owed.set(thread, this.#owed.get(thread)! - owed);
    this.#options.tell(thread, { type: 'request-log-taken', bytes: owed });
  }

  #onExit(): void {
    this.#worker = undefined;
    this.#mayBeginAt = performance.now() + RESTART_MS;
    this.#before = { ...NOTHING, ...Object.fromEntries(NAMES.map((name) => [name, this.#sum(name)])) };
    this.#counts = NOTHING;
    for (const [thread, bytes] of this.#owed) this.#taken(thread, bytes);
  }

  #sum(name: keyof RequestLogCounts): number {
    return this.#before[name] + this.#counts[name];
  }

  #post(message: ToRequestLogThread, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }
}

const NAMES = ['kept', 'failed', 'delivered', 'undelivered', 'hooks-dropped'] as const;
