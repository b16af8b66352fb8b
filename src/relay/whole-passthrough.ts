import { ByteList } from '../codec/byte-list.ts';
import { JsonBalance } from '../codec/json-balance.ts';
import { JsonPeek, PeekKeys } from '../codec/json-peek.ts';
import { GatewayError } from '../core/errors.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

const keys = new PeekKeys(['usage']);
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

  chunk(bytes: Buffer): void {
    this.#o.host.content();
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
    const value = this.#lostBeginning ? lastUsage(bytes) : topLevelUsage(bytes);
    const usage = value === undefined ? undefined : this.#o.wire.toUsage(value);
    if (usage) this.#o.meter.add(usage);
    else if (!this.#passing) this.#o.meter.sampled(bytes);
  }
}

function topLevelUsage(bytes: Buffer): unknown {
  const peek = new JsonPeek(keys);
  if (!peek.advance(bytes, bytes.length) || !peek.finish() || peek.starts[0]! < 0) return undefined;
  return parsed(bytes.toString('utf8', peek.starts[0], peek.ends[0]));
}

/** From the end of an answer whose beginning is gone. */
function lastUsage(bytes: Buffer): unknown {
  const at = bytes.lastIndexOf('"usage"');
  if (at < 0) return undefined;
  // Put an opening brace before the key: what follows reads as an object of its own up to where it is complete.
  const rest = Buffer.concat([Buffer.from('{'), bytes.subarray(at)]);
  const peek = new JsonPeek(keys);
  peek.advance(rest, rest.length);
  if (peek.starts[0]! < 0 || peek.ends[0]! < 0) return undefined;
  return parsed(rest.toString('utf8', peek.starts[0], peek.ends[0]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The client gets the bytes as they are; usage is then unknown and estimated.
    return undefined;
  }
}
