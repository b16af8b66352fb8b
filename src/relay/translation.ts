import { AwsEventStreamParser } from '../codec/aws-event-stream.ts';
import { ByteList } from '../codec/byte-list.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerContext, DialectTranslation, EventWriter } from '../dialects/dialect.ts';
import { bringsContent, type InferenceEvent } from '../inference/event.ts';
import type { EventReader, Target, Translation, Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { type AnswerMaker, inPart } from './answer-translation.ts';
import type { HeldMemory } from './held-memory.ts';
import type { RelayHost, RelayMode } from './relay-mode.ts';
import { streamError } from './stream-error.ts';

/** `[DONE]`, or nothing at all, with the blanks that some put around it. */
const LONGEST_MARK = 16;

export interface TranslationOptions {
  readonly host: RelayHost;
  readonly meter: UsageMeter;
  /** Back to the client's form. */
  readonly to: DialectTranslation;
  readonly wire: Wire;
  readonly target: Target;
  readonly translation: Translation;
  readonly context: AnswerContext;
  readonly memory: HeldMemory;
  /** What may be held before the first content. */
  readonly holdBytes: number;
  /** One event of a stream, or one whole answer. */
  readonly maxBytes: number;
}

export type WholeTranslationOptions = Omit<TranslationOptions, 'to' | 'translation' | 'context' | 'holdBytes'> & {
  readonly make: AnswerMaker;
};

export interface StreamTranslationOptions extends TranslationOptions {
  readonly reader: EventReader;
  readonly writer: EventWriter;
}

/** An event in, an event out: nothing waits for the end, and one provider chunk becomes one write. */
export class StreamTranslation implements RelayMode {
  readonly isStream = true;
  readonly unfinishedLine = false;
  readonly #o: TranslationOptions;
  readonly #reader: EventReader;
  readonly #writer: EventWriter;
  readonly #parser: SseParser | AwsEventStreamParser;
  readonly #events: InferenceEvent[] = [];
  #out: Buffer[] = [];
  #outBytes = 0;
  #committed = false;
  #over = false;

  constructor(options: StreamTranslationOptions) {
    this.#o = options;
    this.#reader = options.reader;
    this.#writer = options.writer;
    const Parser = options.wire.framing === 'aws-event-stream' ? AwsEventStreamParser : SseParser;
    this.#parser = new Parser(this.#onEvent, options.maxBytes);
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    this.#o.meter.passed(bytes);
    const fault = this.#parser.push(bytes);
    if (this.#over) return;
    if (this.#reader.complete) {
      this.#finish();
      return;
    }
    if (this.#committed) this.#flush();
    if (fault) this.#fail(fault);
  }

  ended(): void {
    if (this.#over) return;
    if (this.#reader.finished) this.#finish();
    else this.#fail(new GatewayError('upstream_cut', { detail: 'The stream ended without its last event.' }));
  }

  failed(error: GatewayError): Buffer | undefined {
    return this.#committed ? this.#writer.failed?.(error) : undefined;
  }

  #onEvent = (event: string | undefined, data: string): void => {
    // Bytes behind the end belong to nobody, however they came.
    if (this.#over || this.#reader.complete) return;
    const said = data.length <= LONGEST_MARK ? data.trim() : data;
    if (said === '' && event !== 'error') return;
    this.#events.length = 0;
    this.#reader.fromEvent(event, said, this.#events);
    this.#deliver();
  };

  #deliver(): void {
    for (const each of this.#events) {
      if (each.type === 'error') {
        this.#flush();
        this.#fail(fromErrorEvent(each, this.#o));
        return;
      }
      if (each.type === 'usage') this.#o.meter.add(each.usage);
      else if (bringsContent(each)) {
        this.#commit();
        this.#o.host.content(1);
        if ('text' in each) this.#o.meter.translatedCharacters += each.text.length;
      }
      const bytes = this.#writer.write(each);
      if (bytes === undefined) continue;
      this.#out.push(bytes);
      this.#outBytes += bytes.length;
      if (this.#outBytes > this.#o.holdBytes) this.#commit();
    }
  }

  #finish(): void {
    this.#events.length = 0;
    this.#reader.end?.(this.#events);
    this.#deliver();
    this.#over = true;
    this.#commit();
    this.#out.push(this.#writer.end());
    this.#o.host.finish(Buffer.concat(this.#out));
  }

  #fail(error: GatewayError): void {
    this.#over = true;
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
    this.#outBytes = 0;
  }
}

/**
 * A whole answer, read when it is complete; bounded by limits.max_translate_bytes. A large one is translated away from
 * the event loop.
 */
export class WholeTranslation implements RelayMode {
  readonly isStream = false;
  readonly unfinishedLine = false;
  readonly #o: WholeTranslationOptions;
  #kept = new ByteList();
  #over = false;

  constructor(options: WholeTranslationOptions) {
    this.#o = options;
  }

  chunk(bytes: Buffer, pieces = 1): void {
    if (this.#over) return;
    const { host, meter, memory, maxBytes } = this.#o;
    host.content(pieces);
    meter.received(bytes);
    const length = this.#kept.length + bytes.length;
    if (length > maxBytes) {
      this.#fail(new GatewayError('upstream_too_large', { setting: `limits.max_translate_bytes: ${maxBytes}` }));
    } else if (!memory.mayHold(length)) {
      this.#fail(new GatewayError('upstream_too_large', { setting: memory.setting }));
    } else this.#kept.push(bytes);
  }

  ended(): void {
    if (this.#over) return;
    this.#over = true;
    const { wire, target, meter, host } = this.#o;
    const all = this.#kept.whole();
    this.#kept = new ByteList();
    this.#o.make(all, wire, (made) => {
      if (made instanceof GatewayError) host.fail(made);
      else if ('failure' in made) {
        const error = streamError(made.failure, wire, target, made.status);
        host.fail(made.part === undefined ? error : inPart(error, made.part));
      } else {
        if (made.usage) meter.add(made.usage);
        else meter.sampled(all);
        host.commit(made.contentType ?? 'application/json');
        host.finish(made.body);
      }
    });
  }

  #fail(error: GatewayError): void {
    this.#over = true;
    this.#kept = new ByteList();
    this.#o.host.fail(error);
  }
}

function fromErrorEvent(
  { status, message, errorType }: InferenceEvent & { type: 'error' },
  { wire, target }: TranslationOptions,
): GatewayError {
  return streamError({ type: errorType, message }, wire, target, status);
}
