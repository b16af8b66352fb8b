import { RefusingBudgets } from '../alerts/refusing-budgets.ts';
import type { Configuration } from '../config/configuration.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { type AccessLog, createAccessLog } from '../telemetry/access-log.ts';
import { CacheMetrics } from '../telemetry/cache-metrics.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { GuardrailMetrics } from '../telemetry/guardrail-metrics.ts';
import { type BufferedDestination, bufferedDestination } from '../telemetry/line-destination.ts';
import { createLog, type ProcessLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import { RoutingMetrics } from '../telemetry/routing-metrics.ts';
import { RuleMetrics } from '../telemetry/rule-metrics.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';
import type { MainService } from './main-service.ts';

/** All that is seen of exchanges from outside, on the main thread: log, access log, metrics. It follows from records alone. */
export class Observation implements MainService {
  readonly log: ProcessLog;
  readonly metrics: Metrics;
  readonly #output: BufferedDestination = bufferedDestination();
  readonly #accessLog: AccessLog;
  readonly #ruleMetrics = new RuleMetrics();
  readonly #routingMetrics = new RoutingMetrics();
  readonly #cacheMetrics = new CacheMetrics();
  readonly #guardrailMetrics = new GuardrailMetrics();
  readonly #refusingBudgets: RefusingBudgets;

  constructor({ log, metrics }: ServerSettings, counters: SharedCounters) {
    this.log = createLog(log.level, this.#output);
    this.#accessLog = createAccessLog(log.access, this.#output);
    this.metrics = new Metrics({
      metadataKeys: metrics.metadataKeys,
      inFlight: () => counters.inFlight,
      bodyMemoryBytes: () => counters.bodyBytes,
      logLinesDropped: () => this.#output.dropped,
    });
    this.#ruleMetrics.register(this.metrics.registry);
    this.#routingMetrics.register(this.metrics.registry);
    this.#cacheMetrics.register(this.metrics.registry);
    this.#guardrailMetrics.register(this.metrics.registry);
    this.#refusingBudgets = new RefusingBudgets(this.log);
    this.#refusingBudgets.register(this.metrics.registry);
  }

  /** All of one message, in one pass over its records; its lines leave as one write. */
  addAll(frames: readonly RecordFrame[]): void {
    for (const frame of frames) for (const record of frame) if (!record.pending) this.#add(record);
    this.#accessLog.send();
  }

  /** One that counts: nobody is told of a provisional one, which the final one follows. */
  #add(record: RecordView): void {
    this.metrics.add(record);
    this.#ruleMetrics.add(record);
    this.#routingMetrics.add(record);
    this.#cacheMetrics.add(record);
    this.#guardrailMetrics.add(record);
    this.#accessLog.add(record);
  }

  /** A finished line of another thread's log. */
  writeLine(line: string): void {
    this.#output.write(line);
  }

  reconfigure({ server }: Configuration): void {
    this.log.level = server.log.level;
    this.#accessLog.mode = server.log.access;
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'stats') this.metrics.setThread(message.stats);
    // A finished line of that thread's log.
    else if (message.type === 'log') this.#output.write(message.line);
    else if (message.type === 'budget-refuses') this.#refusingBudgets.refuses(message.window, message.action);
  }

  threadDied(thread: number): void {
    this.metrics.threadStopped(thread);
  }

  /** The last part to close, since all others log: resolves when every line has been written. */
  close(): Promise<void> {
    return this.#output.flush();
  }
}
