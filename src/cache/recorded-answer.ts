import type { Buffer } from 'node:buffer';
import type { GatewayError } from '../core/errors.ts';
import {
  AnswerFilter,
  type AnswerFilterMaker,
  type FilteredAnswerContext,
  type FilterHost,
  type Shortened,
} from '../relay/answer-filter.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { Flight } from './flight.ts';

/** Records an answer for those who joined, and hands it over where it is whole. It holds nothing back. */
export function recordedAnswer(flight: Flight, whole: (meter: UsageMeter) => void): AnswerFilterMaker {
  return (host, context) => new RecordedAnswer(host, context, flight, whole);
}

class RecordedAnswer extends AnswerFilter {
  readonly #context: FilteredAnswerContext;
  readonly #flight: Flight;
  readonly #whole: (meter: UsageMeter) => void;

  constructor(host: FilterHost, context: FilteredAnswerContext, flight: Flight, whole: (meter: UsageMeter) => void) {
    super(host);
    this.#context = context;
    this.#flight = flight;
    this.#whole = whole;
  }

  override commit(contentType: string): void {
    if (this.#flight.contentType === undefined) {
      const { isStream, answer } = this.#context;
      this.#flight.begin({ contentType, stream: isStream, target: answer.model });
    }
    this.host.commit(contentType);
  }

  override write(bytes: Buffer): void {
    this.#flight.add(bytes);
    this.host.write(bytes);
  }

  override finish(last?: Buffer): void {
    if (last) this.#flight.add(last);
    this.#whole(this.#context.meter);
    this.host.finish(last);
  }

  override fail(error: GatewayError): void {
    this.#flight.fail(error);
    this.host.fail(error);
  }

  /** An answer that was ended early is given to nobody else. */
  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#flight.left();
    this.host.shorten(ending, shortened);
  }

  override close(): void {
    this.#flight.left();
  }
}
