import { RecordFrame } from '../telemetry/record-frame.ts';
import type { FromRelayThread, LedgerFrame } from '../threads/messages.ts';
import type { SharedCounters } from '../threads/shared-counters.ts';
import type { LedgerService } from './ledger-service.ts';
import type { MainService } from './main-service.ts';
import type { Observation } from './observation.ts';

export interface RecordIntakeOptions {
  readonly counters: SharedCounters;
  readonly observation: Pick<Observation, 'addAll'>;
  readonly ledger: Pick<LedgerService, 'take'>;
}

/** Frames of records as relay threads send them: each is decoded once, for the log, the metrics and the ledger. */
export class RecordIntake implements MainService {
  readonly #options: RecordIntakeOptions;

  constructor(options: RecordIntakeOptions) {
    this.#options = options;
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'records')
      this.#add(
        message.thread,
        message.frames.map((frame) => new RecordFrame(frame)),
      );
    else if (message.type === 'ledger-records')
      this.#add(
        message.thread,
        message.frames.map((frame) => this.#takeForLedger(message.thread, frame)),
      );
  }

  /** Gives back the places in flight and the bytes of bodies that the thread held. */
  threadDied(thread: number): void {
    this.#options.counters.reclaim(thread);
  }

  close(): void {}

  #add(thread: number, frames: readonly RecordFrame[]): void {
    this.#options.observation.addAll(frames);
    this.#options.counters.takeFrame(thread);
  }

  #takeForLedger(thread: number, { frame, place }: LedgerFrame): RecordFrame {
    const records = new RecordFrame(frame);
    this.#options.ledger.take(thread, records, place);
    return records;
  }
}
