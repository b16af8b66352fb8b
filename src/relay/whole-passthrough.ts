import { JsonPeek, PeekKeys } from '../codec/json-peek.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';

const keys = new PeekKeys(['usage']);
/** Usage stands at the end of large answers: only this much of their end is kept to find it. */
const TAIL_BYTES = 65_536;

/**
 * An answer that is not a stream, carried back unchanged. JSON is held until it is whole or outgrows `holdBytes`: a
 * provider that breaks off in the middle can then still be answered with a proper error. Beyond that, and for
 * everything that is not JSON, bytes are passed on as they come and only the last TAIL_BYTES are remembered.
 */
export class WholePassthrough implements RelayMode {
  readonly unfinishedLine = false;
  readonly #host: RelayHost;
  readonly #meter: UsageMeter;
  readonly #wire: Wire;
  readonly #contentType: string;
  readonly #isJson: boolean;
  readonly #holdBytes: number;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #passing = false;
  #lostBeginning = false;

  constructor(host: RelayHost, meter: UsageMeter, wire: Wire, contentType: string, holdBytes: number) {
    this.#host = host;
    this.#meter = meter;
    this.#wire = wire;
    this.#contentType = contentType;
    this.#isJson = contentType.includes('json');
    this.#holdBytes = holdBytes;
    this.#passing = !this.#isJson;
  }

  chunk(bytes: Buffer): void {
    this.#host.content();
    this.#meter.passed(bytes);
    if (this.#isJson) this.#keep(bytes);
    if (this.#passing) {
      this.#host.commit(this.#contentType);
      this.#host.write(bytes);
    } else if (this.#keptBytes > this.#holdBytes) {
      this.#passing = true;
      this.#host.commit(this.#contentType);
      for (const piece of this.#kept) this.#host.write(piece);
    }
  }

  ended(): void {
    const all = this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept, this.#keptBytes);
    if (this.#isJson) this.#readUsage(all);
    this.#host.commit(this.#contentType);
    if (this.#passing) this.#host.finish();
    else this.#host.finish(all);
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    while (this.#passing && this.#keptBytes - this.#kept[0]!.length >= TAIL_BYTES) {
      this.#keptBytes -= this.#kept.shift()!.length;
      this.#lostBeginning = true;
    }
  }

  #readUsage(bytes: Buffer): void {
    const value = this.#lostBeginning ? lastUsage(bytes) : topLevelUsage(bytes);
    const usage = value === undefined ? undefined : this.#wire.toUsage(value);
    if (usage) this.#meter.add(usage);
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
