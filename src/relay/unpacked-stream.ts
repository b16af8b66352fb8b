import { AwsFrameParser } from '../codec/aws-event-stream.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Envelope } from '../providers/provider.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

export interface UnpackedStreamOptions {
  readonly host: RelayHost;
  /** Carries what was unpacked. */
  readonly inner: RelayMode;
  readonly unpack: NonNullable<Envelope['unpack']>;
  readonly maxFrameBytes: number;
}

/** An answer that its provider sends in frames of AWS: frames in, what is in them out. */
export class UnpackedStream implements RelayMode {
  readonly #o: UnpackedStreamOptions;
  readonly #parser: AwsFrameParser;
  /** The pieces of one read, so that what came together is written together. */
  #pieces: Buffer[] = [];
  #over = false;

  constructor(options: UnpackedStreamOptions) {
    this.#o = options;
    this.#parser = new AwsFrameParser((event, bytes, start, end) => {
      const piece = options.unpack(event, bytes.subarray(start, end));
      if (piece !== undefined) this.#pieces.push(piece);
    }, options.maxFrameBytes);
  }

  get isStream(): boolean {
    return this.#o.inner.isStream;
  }

  get unfinishedLine(): boolean {
    return this.#o.inner.unfinishedLine;
  }

  failed(error: GatewayError): Buffer | undefined {
    return this.#o.inner.failed?.(error);
  }

  chunk(bytes: Buffer, count?: number): void {
    if (this.#over) return;
    const fault = this.#parser.push(bytes);
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length > 0) this.#o.inner.chunk(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), count);
    if (fault === undefined) return;
    this.#over = true;
    this.#o.host.fail(fault);
  }

  ended(): void {
    if (!this.#over) this.#o.inner.ended();
  }
}
