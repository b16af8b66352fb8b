import { RecordFrame } from '../telemetry/record-frame.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';
import type { DatabaseThread } from './database-thread.ts';
import type { MainService } from './main-service.ts';
import type { Observation } from './observation.ts';
import type { OtelThread } from './otel-thread.ts';
import type { RequestTail } from './request-tail.ts';

export interface RecordIntakeOptions {
  readonly counters: SharedCounters;
  readonly observation: Pick<Observation, 'addAll'>;
  readonly database: Pick<DatabaseThread, 'take'>;
  readonly otel: Pick<OtelThread, 'take'>;
  readonly tail: Pick<RequestTail, 'isActive' | 'addAll'>;
}

/** Takes frames of records from relay threads: for the log, the metrics and the spans, then for the ledger. */
export class RecordIntake implements MainService {
  readonly #options: RecordIntakeOptions;

  constructor(options: RecordIntakeOptions) {
    this.#options = options;
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'records') this.#add(message.thread, message.frames);
    else if (message.type === 'ledger-records') {
      const { thread, frames } = message;
      this.#add(
        thread,
        frames.map(({ frame }) => frame),
      );
      this.#options.database.take(thread, frames);
    }
  }

  /** Gives back the places in flight and the bytes of bodies that the thread held. */
  threadDied(thread: number): void {
    this.#options.counters.reclaim(thread);
  }

  close(): void {}

  #add(thread: number, frames: readonly Uint8Array[]): void {
    this.#options.otel.take(frames);
    const { observation, tail } = this.#options;
    observation.addAll(frames.map((frame) => new RecordFrame(frame)));
    if (tail.isActive) for (const frame of frames) tail.addAll(new RecordFrame(frame));
    this.#options.counters.takeFrame(thread);
  }
}
