import type { Target } from '../providers/provider.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** A longer error body says nothing more that anybody reads. */
export const MAX_ERROR_BYTES = 65_536;

/** An answer that is not 2xx: collected, bounded, and given to the wire to be understood. */
export class ErrorAnswer implements RelayMode {
  readonly complete = false;
  readonly unfinishedLine = false;
  readonly #host: RelayHost;
  readonly #target: Target;
  readonly #status: number;
  readonly #mostBytes: number;
  #kept: Buffer[] = [];
  #keptBytes = 0;

  constructor(host: RelayHost, target: Target, status: number, mostBytes: number) {
    this.#host = host;
    this.#target = target;
    this.#status = status;
    this.#mostBytes = mostBytes;
  }

  chunk(bytes: Buffer): void {
    if (this.#keptBytes >= this.#mostBytes) return;
    const piece = bytes.subarray(0, this.#mostBytes - this.#keptBytes);
    this.#kept.push(piece);
    this.#keptBytes += piece.length;
  }

  ended(): void {
    const body = Buffer.concat(this.#kept, this.#keptBytes);
    this.#host.fail(this.#target.wire.toError(this.#status, body, this.#target));
  }
}
