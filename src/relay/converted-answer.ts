import { ByteList } from '../codec/byte-list.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { HeldMemory } from './held-memory.ts';
import type { RelayHost } from './relay-mode.ts';

export interface ConvertedAnswerOptions {
  readonly host: RelayHost;
  readonly memory: HeldMemory;
  /** Given the whole answer, as its provider sent it or translated, in the client's form; calls back once. */
  readonly convert: (answer: Buffer, done: (converted: OrError<Buffer>) => void) => void;
  readonly contentType: string;
  readonly maxBytes: number;
}

/**
 * Stands between a mode and the relay where the provider answered in the other kind than was asked for: JSON instead of
 * a stream, or a stream instead of JSON. What the mode writes is collected, bounded, and converted when it is whole;
 * until then nothing is committed, so every failure still has its status.
 */
export class ConvertedAnswer implements RelayHost {
  readonly #o: ConvertedAnswerOptions;
  #kept = new ByteList();
  #over = false;

  constructor(options: ConvertedAnswerOptions) {
    this.#o = options;
  }

  commit(): void {
    // Only once it is whole.
  }

  content(pieces: number): void {
    if (!this.#over) this.#o.host.content(pieces);
  }

  write(bytes: Buffer): void {
    if (this.#over) return;
    const { memory, maxBytes } = this.#o;
    const length = this.#kept.length + bytes.length;
    if (length > maxBytes) this.#refuse(`limits.max_translate_bytes: ${maxBytes}`);
    else if (!memory.mayHold(length)) this.#refuse(memory.setting);
    else this.#kept.push(bytes);
  }

  finish(last?: Buffer): void {
    if (last) this.write(last);
    if (this.#over) return;
    this.#over = true;
    const all = this.#kept.whole();
    this.#kept = new ByteList();
    const { host, contentType } = this.#o;
    this.#o.convert(all, (converted) => {
      if (converted instanceof GatewayError) {
        host.fail(converted);
        return;
      }
      host.commit(contentType);
      host.finish(converted);
    });
  }

  fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#kept = new ByteList();
    this.#o.host.fail(error);
  }

  #refuse(setting: string): void {
    this.fail(new GatewayError('upstream_too_large', { setting }));
  }
}
