import type { GatewayError } from '../../src/core/errors.ts';
import type { RelayHost } from '../../src/relay/relay-mode.ts';

/** Stands for the relay and its client: keeps by reference what would be sent. */
export class CollectingHost implements RelayHost {
  readonly written: Buffer[] = [];
  contentType: string | undefined;
  contentPieces = 0;
  finished = 0;
  error: GatewayError | undefined;

  commit(contentType: string): void {
    this.contentType ??= contentType;
  }

  write(bytes: Buffer): void {
    this.written.push(bytes);
  }

  finish(last?: Buffer): void {
    if (last) this.written.push(last);
    this.finished += 1;
  }

  fail(error: GatewayError): void {
    this.error = error;
  }

  content(pieces: number): void {
    this.contentPieces += pieces;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.written);
  }
}
