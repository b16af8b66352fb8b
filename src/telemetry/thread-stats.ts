import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** How one relay thread is doing; posted to the main thread a few times a second. */
export interface ThreadStats {
  thread: number;
  /** How late timers fired since the last reading. */
  eventLoopDelayMs: { p50: number; p99: number; max: number };
  /** Share of the time since the last reading in which the loop was busy, 0 to 1. */
  eventLoopUtilization: number;
  upstreamConnections: number;
  upstreamQueued: number;
  /** Since the thread began. */
  recordsDropped: number;
  /** Requests that were let in or refused without Redis, which limits are counted in; since the thread began. */
  countersAwayRequests: number;
  /** What exchanges used and Redis was never told, because too much waited for it; since the thread began. */
  settlementsDropped: number;
}

type LoopReading = Pick<ThreadStats, 'eventLoopDelayMs' | 'eventLoopUtilization'>;

/** On a relay thread: what its event loop did between two readings. */
export class EventLoopProbe {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });
  #since = performance.eventLoopUtilization();

  constructor() {
    this.#delay.enable();
  }

  read(): LoopReading {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#since);
    this.#since = now;
    const reading = {
      eventLoopDelayMs: {
        p50: lateMs(this.#delay.percentile(50)),
        p99: lateMs(this.#delay.percentile(99)),
        max: lateMs(this.#delay.max),
      },
      eventLoopUtilization: utilization,
    };
    this.#delay.reset();
    return reading;
  }

  stop(): void {
    this.#delay.disable();
  }
}

/** 50 wake-ups a second: what an idle thread pays. */
const resolutionMs = 20;

/** The histogram holds the whole interval in nanoseconds; what is beyond the resolution is delay. Empty: no delay. */
function lateMs(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, Math.min(nanoseconds / 1e6 - resolutionMs, 1e9)) : 0;
}
