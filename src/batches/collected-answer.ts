import { GatewayError } from '../core/errors.ts';
import type { AnswerReceiver } from '../core/local-exchange.ts';

/** How an exchange ended that no client waits for. */
export interface CollectedAnswer {
  readonly status: number;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Why there is no answer, or none that is whole; also where it was the provider that refused. */
  readonly error: GatewayError | undefined;
}

export interface AnswerCollectorOptions {
  readonly maxAnswerBytes: number;
  /** Whether so many bytes of the answer may be held now. */
  mayHold(bytes: number): boolean;
  errorBody(error: GatewayError): Uint8Array;
  /** In a turn of its own: more is held than may be, and the exchange is to end. */
  onFull(): void;
  onOver(answer: CollectedAnswer): void;
}

/** Keeps an answer until it is over, bounded. Nothing waits: it takes all at once. */
export class AnswerCollector implements AnswerReceiver {
  readonly #options: AnswerCollectorOptions;
  #status = 0;
  #headers: readonly string[] = [];
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #fault: GatewayError | undefined;

  constructor(options: AnswerCollectorOptions) {
    this.#options = options;
  }

  head(status: number, headers: readonly string[]): void {
    this.#status = status;
    this.#headers = headers;
  }

  take(chunk: Uint8Array): boolean {
    if (this.#fault) return true;
    this.#bytes += chunk.length;
    const { maxAnswerBytes, mayHold } = this.#options;
    if (this.#bytes > maxAnswerBytes) {
      const setting = `limits.max_translate_bytes: ${maxAnswerBytes}`;
      this.#fail(
        new GatewayError('upstream_too_large', { detail: 'It does not fit into a line of a batch.', setting }),
      );
    } else if (!mayHold(this.#bytes)) this.#fail(new GatewayError('body_memory_full', { retryAfterMs: 1_000 }));
    else this.#chunks.push(chunk);
    return true;
  }

  refused(error: GatewayError, headers: readonly string[]): void {
    this.head(error.status, headers);
    this.#chunks = [this.#options.errorBody(error)];
  }

  over(error: GatewayError | undefined): void {
    const body = joined(this.#chunks);
    this.#options.onOver({ status: this.#status, headers: this.#headers, body, error: this.#fault ?? error });
  }

  #fail(fault: GatewayError): void {
    this.#fault = fault;
    this.#chunks = [];
    // The caller of this is still writing.
    setImmediate(() => this.#options.onFull());
  }
}

/** Nearly every answer comes as one chunk, which is kept as it is. */
function joined(chunks: readonly Uint8Array[]): Buffer {
  const [first] = chunks;
  if (first === undefined || chunks.length > 1) return Buffer.concat(chunks);
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
}
