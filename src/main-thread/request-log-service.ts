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
import { threadEntry } from '../threads/thread-entry.ts';
import type { MainService } from './main-service.ts';
import { SideThread } from './side-thread.ts';

export interface RequestLogServiceOptions {
  readonly log: Log;
  /** Rejects where the database does not take them. */
  keep(rows: readonly RequestBodiesRow[]): Promise<void>;
  tell(thread: number, message: ToRelayThread): void;
}

const CLOSE_MS = 5_000;
const EXIT_MS = 1_000;
/** The pause before the next thread, so that one that dies at once does not use up the machine. */
const RESTART_MS = 5_000;

const NOTHING: RequestLogCounts = { kept: 0, failed: 0, delivered: 0, undelivered: 0, 'hooks-dropped': 0 };

/** The main thread's side of the thread of the request log (request-log-thread/). It begins with the first bodies. */
export class RequestLogService implements MainService {
  readonly #options: RequestLogServiceOptions;
  readonly #thread: SideThread<ToRequestLogThread, FromRequestLogThread>;
  #configuration: Configuration | undefined;
  #counts = NOTHING;
  /** The sums of threads that died. */
  #before = NOTHING;
  #dropped = 0;
  /** By relay thread, bytes of bodies whose room it was not given back yet; a thread that ends gives back all. */
  readonly #owed = new Map<number, number>();
  #mayBeginAt = 0;

  constructor(options: RequestLogServiceOptions) {
    this.#options = options;
    this.#thread = new SideThread({
      entry: threadEntry('request-log-thread/request-log-thread'),
      name: 'request-log',
      hear: (message) => this.#hear(message),
      onError: (error) => options.log.error({ error }, 'the thread of the request log failed'),
      onExit: () => this.#onExit(),
    });
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
    if (this.#thread.isRunning) this.#configure(configuration);
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'request-log') this.#take(message);
  }

  threadDied(thread: number): void {
    // The next one of this number holds nothing yet.
    this.#owed.delete(thread);
  }

  close(): Promise<void> {
    return this.#thread.close({ type: 'close', withinMs: CLOSE_MS }, 2 * CLOSE_MS + EXIT_MS);
  }

  #take(message: CapturedMessage): void {
    const { thread, bytes, exchanges, dropped } = message;
    this.#dropped += dropped;
    if (exchanges.length === 0) return;
    if (!this.#begin()) {
      this.#dropped += exchanges.length;
      this.#options.tell(thread, { type: 'request-log-taken', bytes });
      return;
    }
    this.#owed.set(thread, (this.#owed.get(thread) ?? 0) + bytes);
    const starts = exchanges.flatMap(({ request, response }) => [request.start, response.start]);
    this.#thread.post(
      message,
      starts.flatMap((start) => (start === undefined ? [] : [start.buffer])),
    );
  }

  /** False: no thread takes bodies, since the last one died a moment ago. */
  #begin(): boolean {
    const configuration = this.#configuration;
    if (this.#thread.isRunning) return true;
    if (this.#thread.isClosing || configuration === undefined || performance.now() < this.#mayBeginAt) return false;
    this.#thread.begin();
    this.#configure(configuration);
    return true;
  }

  #configure({ requestLoggers, server }: Configuration): void {
    this.#thread.post({ type: 'configure', configuration: { requestLoggers, server } });
  }

  #hear(message: FromRequestLogThread): void {
    const { log, keep } = this.#options;
    switch (message.type) {
      case 'keep': {
        const { number } = message;
        keep(message.rows).then(
          () => this.#thread.post({ type: 'kept', number, isKept: true }),
          (error) => {
            log.warn({ error }, 'bodies could not be kept');
            this.#thread.post({ type: 'kept', number, isKept: false });
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
    }
  }

  #taken(thread: number, bytes: number): void {
    const owed = Math.min(bytes, this.#owed.get(thread) ?? 0);
    if (owed === 0) return;
    this.#owed.set(thread, this.#owed.get(thread)! - owed);
    this.#options.tell(thread, { type: 'request-log-taken', bytes: owed });
  }

  #onExit(): void {
    this.#mayBeginAt = performance.now() + RESTART_MS;
    this.#before = { ...NOTHING, ...Object.fromEntries(NAMES.map((name) => [name, this.#sum(name)])) };
    this.#counts = NOTHING;
    for (const [thread, bytes] of this.#owed) this.#taken(thread, bytes);
  }

  #sum(name: keyof RequestLogCounts): number {
    return this.#before[name] + this.#counts[name];
  }
}

const NAMES = ['kept', 'failed', 'delivered', 'undelivered', 'hooks-dropped'] as const;
