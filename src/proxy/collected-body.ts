import { ByteList } from '../codec/byte-list.ts';
import { GatewayError } from '../core/errors.ts';
import type { ArrivingBody, BodyReceiver } from '../core/exchange.ts';
import type { HeldMemory } from '../relay/held-memory.ts';
import type { PassedBodyOwner } from './passed-body.ts';

/** A request body that has to be whole before it is sent: it is signed, or names the model that it is about. */
export class CollectedBody implements BodyReceiver {
  readonly #bytes = new ByteList();
  readonly #arriving: ArrivingBody;
  readonly #memory: HeldMemory;
  readonly #maxBytes: number;
  readonly #owner: PassedBodyOwner;

  constructor(arriving: ArrivingBody, memory: HeldMemory, maxBytes: number, owner: PassedBodyOwner) {
    this.#arriving = arriving;
    this.#memory = memory;
    this.#maxBytes = maxBytes;
    this.#owner = owner;
    arriving.receiver = this;
  }

  whole(): Buffer {
    return this.#bytes.length === 0 ? NO_BODY : this.#bytes.whole();
  }

  take(bytes: Uint8Array): void {
    const length = this.#bytes.length + bytes.length;
    if (length > this.#maxBytes) this.fail(tooLarge(this.#maxBytes));
    // Joined at the end, it is there twice for a moment.
    else if (!this.#memory.mayHold(2 * length)) this.fail(this.#owner.memoryFull());
    else this.#bytes.push(Buffer.from(bytes));
  }

  end(): void {
    this.#owner.bodyEnded();
  }

  fail(error: GatewayError): void {
    this.#arriving.receiver = undefined;
    this.#owner.bodyFailed(error);
  }
}

export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('body_too_large', {
    detail: 'JSON, and what has to be signed, is held whole.',
    setting: `limits.max_body_bytes: ${maxBytes}`,
  });
}

const NO_BODY = Buffer.alloc(0);
