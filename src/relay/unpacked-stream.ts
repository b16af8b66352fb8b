import { AwsEventStreamParser } from '../codec/aws-event-stream.ts';
import type { Envelope } from '../providers/provider.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

export interface UnpackedStreamOptions {
  readonly host: RelayHost;
  /** Carries the events that were unpacked. */
  readonly passing: RelayMode;
  readonly unpack: NonNullable<Envelope['unpack']>;
  readonly maxFrameBytes: number;
}

/** A stream of the client's form whose events its provider frames otherwise: frames in, the events in them out. */
export class UnpackedStream implements RelayMode {
  readonly isStream = true;
  readonly #o: UnpackedStreamOptions;
  readonly #parser: AwsEventStreamParser;
  /** Of one read, so that what came together is written together. */
  #events: Buffer[] = [];
  #over = false;

  constructor(options: UnpackedStreamOptions) {
    this.#o = options;
    this.#parser = new AwsEventStreamParser((event, payload) => {
      const bytes = options.unpack(event, payload);
      if (bytes !== undefined) this.#events.push(bytes);
    }, options.maxFrameBytes);
  }

  get unfinishedLine(): boolean {
    return this.#o.passing.unfinishedLine;
  }

  chunk(bytes: Buffer, pieces?: number): void {
    if (this.#over) return;
    const fault = this.#parser.push(bytes);
    const events = this.#events;
    this.#events = [];
    if (events.length > 0) this.#o.passing.chunk(events.length === 1 ? events[0]! : Buffer.concat(events), pieces);
    if (fault === undefined) return;
    this.#over = true;
    this.#o.host.fail(fault);
  }

  ended(): void {
    if (!this.#over) this.#o.passing.ended();
  }
}
