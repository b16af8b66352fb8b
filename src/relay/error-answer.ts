import { ByteList } from '../codec/byte-list.ts';
import type { Target } from '../providers/provider.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** A longer error body says nothing more that anybody reads. */
export const MAX_ERROR_BYTES = 65_536;

/**
 * An answer that is not 2xx, or is 2xx and no answer (`status` undefined): collected, bounded, and given to the wire to be
 * understood.
 */
export class ErrorAnswer implements RelayMode {
  readonly isStream = false;
  readonly unfinishedLine = false;
  readonly #host: RelayHost;
  readonly #target: Target;
  readonly #status: number | undefined;
  readonly #mostBytes: number;
  readonly #kept = new ByteList();

  constructor(host: RelayHost, target: Target, status: number | undefined, mostBytes: number) {
    this.#host = host;
    this.#target = target;
    this.#status = status;
    this.#mostBytes = mostBytes;
  }

  chunk(bytes: Buffer): void {
    const room = this.#mostBytes - this.#kept.length;
    this.#kept.push(bytes.subarray(0, Math.max(0, room)));
    // Whatever follows changes nothing, and it may have no end.
    if (bytes.length >= room) this.ended();
  }

  /** Also called when the body takes too long: what came has to do. */
  ended(): void {
    this.#host.fail(this.#target.wire.toError(this.#status, this.#kept.whole(), this.#target));
  }
}
