import { ByteList } from '../codec/byte-list.ts';
import { JsonBalance } from '../codec/json-balance.ts';
import { GatewayError } from '../core/errors.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { usageOf, usageOfEnd } from './answer-usage.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

/** Usage stands at the end of large answers: only this much of their end is kept to find it. */
const TAIL_BYTES = 65_536;

export interface WholePassthroughOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly contentType: string;
  readonly isJson: boolean;
  /** The provider's answer ends with its connection: its end alone does not say that it is whole. */
  readonly endsWithConnection: boolean;
  /** What of JSON may be held before it is passed on. */
  readonly holdBytes: number;
}

/**
 * An answer that is not a stream, carried back unchanged. JSON is held until it is whole or outgrows `holdBytes`: a
 * provider that breaks off in the middle can then still be answered with a proper error. Beyond that, and for
 * everything that is not JSON, bytes are passed on as they come and only the last TAIL_BYTES are remembered.
 */
export class WholePassthrough implements RelayMode {
  readonly isStream = false;
  readonly complete = false;
  readonly unfinishedLine = false;
  readonly #o: WholePassthroughOptions;
  readonly #kept = new ByteList();
  #passing: boolean;
  /** Only where HTTP does not say whether the answer is whole. */
  #balance: JsonBalance | undefined;
  #lostBeginning = false;

  constructor(options: WholePassthroughOptions) {
    this.#o = options;
    this.#passing = !options.isJson;
    if (options.isJson && options.endsWithConnection) this.#balance = new JsonBalance();
  }

  chunk(bytes: Buffer, pieces = 1): void {
    this.#o.host.content(pieces);
    if (this.#passing) this.#o.meter.passed(bytes);
    else this.#o.meter.received(bytes);
    this.#balance?.push(bytes);
    if (this.#o.isJson) this.#keep(bytes);
    if (this.#passing) {
      this.#o.host.commit(this.#o.contentType);
      this.#o.host.write(bytes);
    } else if (this.#kept.length > this.#o.holdBytes) {
      this.#passing = true;
      this.#o.host.commit(this.#o.contentType);
      for (const piece of this.#kept.pieces()) this.#o.host.write(piece);
    }
  }

  ended(): void {
    const all = this.#kept.whole();
    if (this.#o.isJson) this.#readUsage(all);
    if (this.#balance?.whole === false) {
      this.#o.host.fail(new GatewayError('upstream_cut', { detail: 'The answer ended in the middle.' }));
      return;
    }
    this.#o.host.commit(this.#o.contentType);
    if (this.#passing) this.#o.host.finish();
    else this.#o.host.finish(all);
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    if (!this.#passing || this.#kept.length < 2 * TAIL_BYTES) return;
    this.#kept.keepLast(TAIL_BYTES);
    this.#lostBeginning = true;
  }

  #readUsage(bytes: Buffer): void {
    const value = this.#lostBeginning ? usageOfEnd(bytes) : usageOf(bytes);
    const usage = value === undefined ? undefined : this.#o.wire.toUsage(value, { usage: value });
    if (usage) this.#o.meter.add(usage);
    else if (!this.#passing) this.#o.meter.sampled(bytes);
  }
}
