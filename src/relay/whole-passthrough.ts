import { ByteList } from '../codec/byte-list.ts';
import { JsonBalance } from '../codec/json-balance.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerFacts, AnswerForm, VectorEncoding, VectorForm } from '../dialects/answer-form.ts';
import type { Target, Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { streamError } from './stream-error.ts';

/** Usage stands at the beginning or at the end of large answers: so much of their end is kept to find it. */
const TAIL_BYTES = 65_536;

export interface AskedVectors {
  readonly form: VectorForm;
  readonly encoding: VectorEncoding;
  /** Takes the place of the host for an answer whose vectors are written otherwise than asked. */
  rewriter(): RelayHost;
}

export interface WholePassthroughOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly wire: Wire;
  readonly target: Target;
  readonly form: AnswerForm;
  readonly contentType: string;
  /** The provider's answer ends with its connection: HTTP does not say whether it is whole. */
  readonly endsWithConnection: boolean;
  /** What may be held before it is passed on. */
  readonly holdBytes: number;
  /** How the client wants to read vectors, where there are any. */
  readonly vectors?: AskedVectors | undefined;
}

/**
 * A JSON answer that is not a stream, carried back unchanged. It is held until it is whole or outgrows `holdBytes`: a
 * provider that breaks off in the middle, or fails in a 200, is then still answered with a proper error. Beyond that it
 * is passed on as it comes, and only its last bytes are remembered.
 */
export class WholePassthrough implements RelayMode {
  readonly isStream = false;
  readonly unfinishedLine = false;
  readonly #o: WholePassthroughOptions;
  #host: RelayHost;
  readonly #kept = new ByteList();
  #passing = false;
  /** Only where HTTP does not say whether the answer is whole. */
  readonly #balance: JsonBalance | undefined;
  #lostBeginning = false;

  constructor(options: WholePassthroughOptions) {
    this.#o = options;
    this.#host = options.host;
    this.#balance = options.endsWithConnection ? new JsonBalance() : undefined;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    this.#host.content(pieces);
    this.#o.meter.received(bytes);
    this.#kept.push(bytes);
    this.#balance?.push(bytes);
    if (this.#passing) this.#passOn(bytes);
    else if (this.#kept.length > this.#o.holdBytes) this.#beginToPass();
  }

  ended(): void {
    const { contentType } = this.#o;
    if (this.#passing) {
      this.#endPassing();
      return;
    }
    const all = this.#kept.whole();
    const facts = this.#o.form.whole(all);
    const failure = this.#failureOf(facts);
    if (failure) {
      this.#host.fail(failure);
      return;
    }
    if (!this.#meter(facts)) this.#o.meter.sampled(all);
    this.#writeAsAsked(all);
    this.#host.commit(contentType);
    this.#host.finish(all);
  }

  #failureOf(facts: AnswerFacts | undefined): GatewayError | undefined {
    const { wire, target } = this.#o;
    if (facts?.error !== undefined) return streamError(facts.error, wire, target);
    if (this.#balance?.whole === false) {
      return new GatewayError('upstream_cut', { detail: 'The answer ended in the middle.' });
    }
    return facts ? undefined : new GatewayError('upstream_protocol', { detail: 'Its answer is not whole JSON.' });
  }

  /** False: it tells no usage. */
  #meter(facts: AnswerFacts | undefined): boolean {
    const counts = facts && this.#o.wire.toUsage(facts.usage, facts.answer);
    if (counts) this.#o.meter.add(counts);
    return counts !== undefined;
  }

  /** Some providers know one way of writing vectors, whatever they are asked for. */
  #writeAsAsked(begun: Buffer): void {
    const { vectors } = this.#o;
    const written = vectors?.form.written(begun);
    if (vectors && written !== undefined && written !== vectors.encoding) this.#host = vectors.rewriter();
  }

  #beginToPass(): void {
    this.#passing = true;
    const { form, meter, contentType } = this.#o;
    const begun = this.#kept.whole();
    this.#writeAsAsked(begun);
    this.#host.commit(contentType);
    if (!this.#meter(form.beginning(begun))) meter.sampled(begun);
    this.#passOn(begun);
  }

  #passOn(bytes: Buffer): void {
    this.#host.write(bytes);
    if (this.#kept.length < 2 * TAIL_BYTES) return;
    this.#kept.keepLast(TAIL_BYTES);
    this.#lostBeginning = true;
  }

  #endPassing(): void {
    const { form, wire, target } = this.#o;
    const host = this.#host;
    const bytes = this.#kept.whole();
    const facts = this.#lostBeginning ? form.end(bytes) : form.whole(bytes);
    if (facts?.error !== undefined) host.fail(streamError(facts.error, wire, target));
    else if (this.#balance?.whole === false) {
      host.fail(new GatewayError('upstream_cut', { detail: 'The answer ended in the middle.' }));
    } else {
      this.#meter(facts);
      host.finish();
    }
  }
}
