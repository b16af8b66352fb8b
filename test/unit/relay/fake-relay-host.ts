import type { GatewayError } from '../../../src/core/errors.ts';
import type { RelayHost } from '../../../src/relay/relay-mode.ts';

/**
 * Stands where the relay stands and writes down what it is asked for. What is written is kept by reference, as the sink
 * does: bytes that are changed later come out wrong at the end. Whatever comes behind the end is a fault of its own.
 */
export class FakeRelayHost implements RelayHost {
  contentType: string | undefined;
  error: GatewayError | undefined;
  finished = false;
  writtenBytes = 0;
  contentPieces = 0;
  readonly behindTheEnd: string[] = [];
  readonly uncommitted: string[] = [];
  readonly #written: Buffer[] = [];

  commit(contentType: string): void {
    if (this.#isOver('commit')) return;
    this.contentType ??= contentType;
  }

  write(bytes: Buffer): void {
    if (this.#isOver('write')) return;
    if (this.contentType === undefined) this.uncommitted.push(bytes.toString());
    this.#written.push(bytes);
    this.writtenBytes += bytes.length;
  }

  finish(last?: Buffer): void {
    if (last) this.write(last);
    if (this.#isOver('finish')) return;
    this.finished = true;
  }

  fail(error: GatewayError): void {
    if (this.#isOver('fail')) return;
    this.error = error;
  }

  content(pieces: number): void {
    this.contentPieces += pieces;
  }

  /** As it was handed over: a write that was not copied is the very memory that came. */
  get written(): readonly Buffer[] {
    return this.#written;
  }

  output(): Buffer {
    return Buffer.concat(this.#written);
  }

  #isOver(call: string): boolean {
    const over = this.finished || this.error !== undefined;
    if (over) this.behindTheEnd.push(call);
    return over;
  }
}
