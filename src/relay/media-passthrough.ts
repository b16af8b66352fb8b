import { ByteList } from '../codec/byte-list.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerForm } from '../dialects/answer-form.ts';
import type { Target, Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { streamError } from './stream-error.ts';
import { WholePassthrough } from './whole-passthrough.ts';

const OPEN_BRACE = 0x7b;
/** White space that may stand in front of JSON. */
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d]);
const BYTES = 'application/octet-stream';

export interface MediaPassthroughOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly target: Target;
  readonly form: AnswerForm;
  /** As the provider says. */
  readonly contentType: string;
  /** What the client gets is a stream all the same, into which `host` converts the bytes. */
  readonly isStream: boolean;
  /** What may be held before it is passed on. */
  readonly holdBytes: number;
}

/**
 * Bytes of any media type, carried back chunk by chunk under the provider's own label: the first byte is the first
 * content. An answer that is labelled as JSON and looks like it is a whole JSON answer. A short answer that looks like JSON
 * under another label is held until it is whole, since it may be an error.
 */
export class MediaPassthrough implements RelayMode {
  readonly isStream: boolean;
  readonly unfinishedLine = false;
  readonly #o: MediaPassthroughOptions;
  /** The answer is JSON, and its label says so. */
  #json: WholePassthrough | undefined;
  /** What may be an error; undefined where nothing came yet, and once bytes pass. */
  #held: ByteList | undefined;
  #passing = false;

  constructor(options: MediaPassthroughOptions) {
    this.#o = options;
    this.isStream = options.isStream;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#json !== undefined) this.#json.chunk(bytes, pieces);
    else if (bytes.length === 0) return;
    else if (this.#passing) this.#pass(bytes, pieces);
    else if (this.#held !== undefined) this.#hold(this.#held, bytes, pieces);
    else this.#first(bytes, pieces);
  }

  ended(): void {
    const { host, form, wire, target, meter, contentType } = this.#o;
    if (this.#json !== undefined) this.#json.ended();
    else if (this.#passing) host.finish();
    else if (this.#held !== undefined) {
      const all = this.#held.whole();
      const facts = form.whole(all);
      if (facts?.error !== undefined) {
        host.fail(streamError(facts.error, wire, target));
        return;
      }
      const counts = facts && wire.toUsage(facts.usage, facts.answer);
      if (counts) meter.add(counts);
      host.commit(contentType);
      host.finish(all);
    } else if (contentType.toLowerCase().startsWith('text/')) {
      // Nobody spoke: the transcript of silence is empty.
      host.commit(contentType);
      host.finish();
    } else host.fail(new GatewayError('upstream_protocol', { detail: 'Its answer is empty.' }));
  }

  #first(bytes: Buffer, pieces: number): void {
    const { host, meter, wire, target, form, contentType, holdBytes } = this.#o;
    const isLabelled = contentType.toLowerCase().includes('json');
    const first = isLabelled ? bytes.find((byte) => !BLANK.has(byte)) : bytes[0];
    const looksSo = first === OPEN_BRACE || (isLabelled && first === undefined);
    if (!looksSo) this.#begin(bytes, pieces, isLabelled ? BYTES : contentType);
    else if (isLabelled) {
      const endsWithConnection = false;
      this.#json = new WholePassthrough({
        host,
        meter,
        wire,
        target,
        form,
        contentType,
        endsWithConnection,
        holdBytes,
      });
      this.#json.chunk(bytes, pieces);
    } else {
      this.#held = new ByteList();
      this.#hold(this.#held, bytes, pieces);
    }
  }

  #hold(held: ByteList, bytes: Buffer, pieces: number): void {
    const { host, meter, holdBytes, contentType } = this.#o;
    meter.received(bytes);
    host.content(pieces);
    held.push(bytes);
    if (held.length <= holdBytes) return;
    this.#held = undefined;
    this.#passing = true;
    host.commit(contentType);
    host.write(held.whole());
  }

  #begin(bytes: Buffer, pieces: number, contentType: string): void {
    this.#passing = true;
    this.#o.host.commit(contentType);
    this.#pass(bytes, pieces);
  }

  #pass(bytes: Buffer, pieces: number): void {
    const { host, meter } = this.#o;
    meter.received(bytes);
    host.content(pieces);
    host.write(bytes);
  }
}
