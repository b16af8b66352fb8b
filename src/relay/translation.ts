import { ByteList } from '../codec/byte-list.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerContext, Dialect, EventWriter } from '../dialects/dialect.ts';
import type { InferenceEvent } from '../inference/event.ts';
import type { EventReader, Translation } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { failureOf } from './stream-error.ts';

export interface TranslationOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  readonly dialect: Dialect;
  readonly translation: Translation;
  readonly context: AnswerContext;
  /** One event of a stream, or one whole answer. */
  readonly maxBytes: number;
}

/** An event in, an event out: nothing waits for the end, and one provider chunk becomes one write. */
export class StreamTranslation implements RelayMode {
  readonly isStream = true;
  readonly unfinishedLine = false;
  readonly #o: TranslationOptions;
  readonly #reader: EventReader;
  readonly #writer: EventWriter;
  readonly #parser: SseParser;
  readonly #events: InferenceEvent[] = [];
  #out: Buffer[] = [];
  #committed = false;
  #failed = false;

  constructor(options: TranslationOptions) {
    this.#o = options;
    this.#reader = options.translation.eventReader();
    this.#writer = options.dialect.eventWriter(options.context);
    this.#parser = new SseParser(this.#onEvent, options.maxBytes);
  }

  chunk(bytes: Buffer): void {
    if (this.#failed) return;
    this.#o.meter.passed(bytes);
    const fault = this.#parser.push(bytes);
    if (this.#failed) return;
    if (this.#committed) this.#flush();
    if (fault) this.#fail(fault);
  }

  get complete(): boolean {
    return this.#reader.complete;
  }

  ended(): void {
    if (this.#failed) return;
    if (!this.#reader.complete) {
      this.#fail(new GatewayError('upstream_cut', { detail: 'The stream ended without its last event.' }));
      return;
    }
    this.#commit();
    this.#out.push(this.#writer.end());
    this.#flush();
    this.#o.host.finish();
  }

  #onEvent = (event: string | undefined, data: string): void => {
    if (this.#failed) return;
    this.#events.length = 0;
    this.#reader.fromEvent(event, data, this.#events);
    for (const each of this.#events) {
      if (each.type === 'error') {
        this.#flush();
        this.#fail(fromErrorEvent(each));
        return;
      }
      if (each.type === 'usage') this.#o.meter.add(each.usage);
      else if (each.type !== 'start') {
        this.#commit();
        this.#o.host.content(1);
        if ('text' in each) this.#o.meter.translatedCharacters += each.text.length;
      }
      const bytes = this.#writer.write(each);
      if (bytes) this.#out.push(bytes);
    }
  };

  #fail(error: GatewayError): void {
    this.#failed = true;
    this.#o.host.fail(error);
  }

  #commit(): void {
    if (this.#committed) return;
    this.#committed = true;
    this.#o.host.commit('text/event-stream');
  }

  #flush(): void {
    if (this.#out.length === 0 || !this.#committed) return;
    this.#o.host.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out));
    this.#out = [];
  }
}

/** A whole answer, read when it is complete; bounded by limits.max_translate_bytes. */
export class WholeTranslation implements RelayMode {
  readonly isStream = false;
  readonly complete = false;
  readonly unfinishedLine = false;
  readonly #o: TranslationOptions;
  #kept = new ByteList();
  #failed = false;

  constructor(options: TranslationOptions) {
    this.#o = options;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#failed) return;
    this.#o.host.content(pieces);
    this.#o.meter.received(bytes);
    if (this.#kept.length + bytes.length > this.#o.maxBytes) {
      this.#fail(
        new GatewayError('upstream_too_large', { setting: `limits.max_translate_bytes: ${this.#o.maxBytes}` }),
      );
      return;
    }
    this.#kept.push(bytes);
  }

  ended(): void {
    if (this.#failed) return;
    const all = this.#kept.whole();
    const events = this.#o.translation.fromResponse(all);
    if (events instanceof GatewayError) {
      this.#fail(events);
      return;
    }
    for (const event of events) {
      if (event.type === 'usage') this.#o.meter.add(event.usage);
      if (event.type === 'error') {
        this.#fail(fromErrorEvent(event));
        return;
      }
    }
    if (!this.#o.meter.usage) this.#o.meter.sampled(all);
    const answer = this.#o.dialect.fromInference(events, this.#o.context);
    if (answer instanceof GatewayError) {
      this.#fail(answer);
      return;
    }
    this.#o.host.commit('application/json');
    this.#o.host.finish(answer);
  }

  #fail(error: GatewayError): void {
    this.#failed = true;
    this.#kept = new ByteList();
    this.#o.host.fail(error);
  }
}

function fromErrorEvent({ status, message, errorType }: InferenceEvent & { type: 'error' }): GatewayError {
  return failureOf(status, { detail: message, upstreamType: errorType });
}
