import type { GatewayError } from '../core/errors.ts';
import type { ByteEventWriter } from '../dialects/answer-form.ts';
import type { RelayHost } from './relay-mode.ts';

export interface BytesAsEventsOptions {
  readonly host: RelayHost;
  readonly writer: ByteEventWriter;
  readonly contentType: string;
}

/**
 * Stands between a mode and the relay where a provider sends bytes and the client asked for events: each piece becomes an
 * event as it comes, and nothing is collected.
 */
export class BytesAsEvents implements RelayHost {
  readonly #o: BytesAsEventsOptions;

  constructor(options: BytesAsEventsOptions) {
    this.#o = options;
  }

  commit(): void {
    this.#o.host.commit(this.#o.contentType);
  }

  content(pieces: number): void {
    this.#o.host.content(pieces);
  }

  write(bytes: Buffer): void {
    const event = this.#o.writer.write(bytes);
    if (event !== undefined) this.#o.host.write(event);
  }

  finish(last?: Buffer): void {
    const { host, writer } = this.#o;
    const event = last && writer.write(last);
    host.finish(event === undefined ? writer.end() : Buffer.concat([event, writer.end()]));
  }

  fail(error: GatewayError): void {
    this.#o.host.fail(error);
  }
}
