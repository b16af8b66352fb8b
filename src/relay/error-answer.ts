import { ByteList } from '../codec/byte-list.ts';
import type { Target, Wire } from '../providers/provider.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** The bound of an error body; the rest of a longer one is not read. */
export const MAX_ERROR_BYTES = 65_536;
/** How long the body of an error may take; after it the bytes that came are used. */
const MAX_BODY_MS = 5_000;

/**
 * An answer that is not 2xx, or is 2xx and no answer (`status` undefined): collected, bounded, and given to the wire to be
 * understood.
 */
export class ErrorAnswer implements RelayMode {
  readonly isStream = false;
  readonly unfinishedLine = false;
  readonly #host: RelayHost;
  readonly #target: Target;
  readonly #wire: Wire;
  readonly #status: number | undefined;
  readonly #maxBytes: number;
  readonly #kept = new ByteList();
  readonly #since = performance.now();

  constructor(host: RelayHost, target: Target, wire: Wire, status: number | undefined, maxBytes: number) {
    this.#host = host;
    this.#target = target;
    this.#wire = wire;
    this.#status = status;
    this.#maxBytes = maxBytes;
  }

  chunk(bytes: Buffer): void {
    const room = this.#maxBytes - this.#kept.length;
    this.#kept.push(bytes.subarray(0, Math.max(0, room)));
    // The rest changes nothing, and it may have no end.
    if (bytes.length >= room) this.ended();
  }

  /** `now` is performance.now(). A body that takes too long is taken as it is. */
  sweep(now: number): void {
    if (now - this.#since > MAX_BODY_MS) this.ended();
  }

  ended(): void {
    this.#host.fail(this.#wire.toError(this.#status, this.#kept.whole(), this.#target));
  }
}
