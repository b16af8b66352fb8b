import { Readable } from 'node:stream';
import type { GatewayError } from '../core/errors.ts';
import type { ArrivingBody, BodyReceiver } from '../core/exchange.ts';
import type { HeldMemory } from '../relay/held-memory.ts';

export interface PassedBodyOwner {
  /** All of it came. */
  bodyEnded(): void;
  /** It does not come whole, or there is no room for it. */
  bodyFailed(error: GatewayError): void;
  memoryFull(): GatewayError;
}

/**
 * A request body on its way to a provider. What the provider does not take waits here, bounded by `holdBytes`: beyond it
 * the client is read no more. As long as no provider took a byte of it, it can be sent to another one.
 */
export class PassedBody implements BodyReceiver {
  ended = false;
  /** A byte of it was given to a provider. */
  touched = false;
  bytes = 0;
  /** performance.now() when something was taken last, or first waited. */
  takenAt = 0;
  readonly #arriving: ArrivingBody;
  readonly #memory: HeldMemory;
  readonly #owner: PassedBodyOwner;
  readonly #holdBytes: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #reader: Readable | undefined;
  #wanted = false;
  #over = false;

  constructor(arriving: ArrivingBody, memory: HeldMemory, holdBytes: number, owner: PassedBodyOwner) {
    this.#arriving = arriving;
    this.#memory = memory;
    this.#holdBytes = holdBytes;
    this.#owner = owner;
    arriving.receiver = this;
  }

  /** Bytes wait that no provider takes. */
  get waits(): boolean {
    return this.#waitingBytes > 0;
  }

  take(bytes: Uint8Array): void {
    if (this.#over) return;
    // The edge's memory is written again.
    const copy = Buffer.from(bytes);
    this.bytes += copy.length;
    if (this.#waitingBytes === 0) this.takenAt = performance.now();
    this.#waiting.push(copy);
    this.#waitingBytes += copy.length;
    if (!this.#memory.mayHold(this.#waitingBytes)) {
      this.fail(this.#owner.memoryFull());
      return;
    }
    if (this.#waitingBytes > this.#holdBytes) this.#arriving.pause();
    this.#give();
  }

  end(): void {
    if (this.#over) return;
    this.ended = true;
    this.#give();
    this.#owner.bodyEnded();
  }

  fail(error: GatewayError): void {
    if (this.#over) return;
    this.close();
    this.#owner.bodyFailed(error);
  }

  /** The body for one attempt: what waits, and all that comes. */
  stream(): Readable {
    this.#wanted = false;
    this.#reader = new Readable({
      highWaterMark: READ_BYTES,
      read: () => {
        this.#wanted = true;
        this.#give();
      },
    });
    // It is destroyed where an attempt fails, and that attempt says why.
    this.#reader.on('error', () => {});
    return this.#reader;
  }

  /** Nobody reads it any more: what still comes is dropped. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#reader = undefined;
    this.#memory.release();
    if (this.#arriving.receiver === this) this.#arriving.receiver = undefined;
    this.#arriving.resume();
  }

  #give(): void {
    const reader = this.#reader;
    if (reader === undefined || reader.destroyed) return;
    while (this.#wanted && this.#waiting.length > 0) {
      const next = this.#waiting.shift()!;
      this.#waitingBytes -= next.length;
      this.touched = true;
      this.takenAt = performance.now();
      this.#wanted = reader.push(next);
    }
    if (this.#waitingBytes <= this.#holdBytes >> 2) this.#arriving.resume();
    if (this.#waitingBytes === 0) this.#memory.release();
    if (this.ended && this.#waiting.length === 0) {
      this.#reader = undefined;
      reader.push(null);
    }
  }
}

const READ_BYTES = 65_536;
