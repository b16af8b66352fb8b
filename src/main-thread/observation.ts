import { type RefusalAction, RefusingBudgets } from '../alerts/refusing-budgets.ts';
import type { ServerSettings } from '../config/configuration.ts';
import type { BudgetWindowKey } from '../counters/budget-groups.ts';
import { type AccessLog, createAccessLog } from '../telemetry/access-log.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import { type BufferedDestination, bufferedDestination } from '../telemetry/line-destination.ts';
import { createLog, type ProcessLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { RecordFrame } from '../telemetry/record-frame.ts';
import { RuleMetrics } from '../telemetry/rule-metrics.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';

/** All that is seen of exchanges from outside, on the main thread: log, access log, metrics. It follows from records alone. */
export class Observation {
  readonly log: ProcessLog;
  readonly metrics: Metrics;
  readonly #output: BufferedDestination = bufferedDestination();
  readonly #accessLog: AccessLog;
  readonly #ruleMetrics = new RuleMetrics();
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
    this.#refusingBudgets = new RefusingBudgets(this.log);
    this.#refusingBudgets.register(this.metrics.registry);
  }

  /** All of one message, whose lines leave as one write. */
  addAll(frames: readonly RecordFrame[]): void {
    const records: Iterable<RecordView> = { [Symbol.iterator]: () => finalRecords(frames) };
    this.metrics.addAll(records);
    this.#ruleMetrics.addAll(records);
    this.#accessLog.addAll(records);
  }

  budgetRefuses(window: BudgetWindowKey, action: RefusalAction): void {
    this.#refusingBudgets.refuses(window, action);
  }

  /** A finished line of a relay thread's log. */
  writeLine(line: string): void {
    this.#output.write(line);
  }

  reconfigure({ log }: ServerSettings): void {
    this.log.level = log.level;
    this.#accessLog.mode = log.access;
  }

  /** For the end of the process. */
  flush(): Promise<void> {
    return this.#output.flush();
  }
}

/** Of a provisional record nobody is told: the one that counts follows. */
function* finalRecords(frames: readonly RecordFrame[]): Generator<RecordView> {
  for (const frame of frames) for (const record of frame) if (!record.pending) yield record;
}
