import { AwsEventStreamParser } from '../codec/aws-event-stream.ts';
import { ByteList } from '../codec/byte-list.ts';
import { lastEventEnd } from '../codec/event-cutter.ts';
import { PartialBuffer } from '../codec/partial-buffer.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerFacts } from '../dialects/answer-form.ts';
import type { ApiForm } from '../dialects/dialect.ts';
import { bringsContent, type InferenceEvent } from '../inference/event.ts';
import type { Wire } from '../providers/provider.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';

/** Reads an answer on the side for its usage. Bytes that it does not understand are skipped. */
export interface UsageWatch {
  /** The bytes may be kept by reference. */
  chunk(bytes: Buffer): void;
  ended(): void;
}

export interface WatchOptions {
  readonly wire: Wire;
  /** The form that the wire speaks; undefined: only its translation is known. */
  readonly form: ApiForm | undefined;
  readonly meter: UsageMeter;
  readonly choices: number;
  /** The bound of one event, or of one whole answer. */
  readonly maxBytes: number;
}

const EVENT_STREAM = 'text/event-stream';
const AWS_EVENT_STREAM = 'application/vnd.amazon.eventstream';

/** Undefined: an answer of this media type tells nothing that could be read. */
export function usageWatch(contentType: string, options: WatchOptions): UsageWatch | undefined {
  const { wire, form } = options;
  const label = contentType.toLowerCase();
  if (label.startsWith(EVENT_STREAM)) {
    if (form?.answers.stream !== undefined) return new FormStream(options, form.answers.stream);
    return wire.framing === 'sse' ? translated(options, SseParser) : undefined;
  }
  if (label.startsWith(AWS_EVENT_STREAM)) return translated(options, AwsEventStreamParser);
  if (!label.includes('json')) return undefined;
  if (form !== undefined) return new FormWhole(options, form);
  return wire.translation === undefined ? undefined : new TranslatedWhole(options);
}

/** A form whose words are known. */
class FormStream implements UsageWatch {
  readonly #maxBytes: number;
  readonly #meter: UsageMeter;
  readonly #reader: ReturnType<NonNullable<ApiForm['answers']['stream']>>;
  readonly #unfinished = new PartialBuffer();
  #over = false;

  constructor({ wire, meter, choices, maxBytes }: WatchOptions, stream: NonNullable<ApiForm['answers']['stream']>) {
    this.#maxBytes = maxBytes;
    this.#meter = meter;
    this.#reader = stream({ choices, usageEvent: 'keep' }, (usage, answer) => {
      const counts = wire.toUsage(usage, answer);
      if (counts) meter.add(counts);
    });
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#unfinished.length + bytes.length > this.#maxBytes) {
      this.#end();
      return;
    }
    const from = Math.max(0, this.#unfinished.length - BOUNDARY_BYTES);
    this.#unfinished.append(bytes);
    const end = lastEventEnd(this.#unfinished.memory, from, this.#unfinished.length);
    if (end <= 0) return;
    this.#reader.read(this.#unfinished.take(end));
    if (this.#reader.content > 0) this.#meter.content();
    if (this.#reader.ended || this.#reader.error !== undefined) this.#end();
  }

  ended(): void {
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#unfinished.clear();
  }
}

/** The beginning of an empty line may be the end of one read. */
const BOUNDARY_BYTES = 3;

class FormWhole implements UsageWatch {
  readonly #o: WatchOptions;
  readonly #form: ApiForm;
  readonly #kept = new ByteList();
  #lostBeginning = false;

  constructor(options: WatchOptions, form: ApiForm) {
    this.#o = options;
    this.#form = form;
  }

  chunk(bytes: Buffer): void {
    this.#kept.push(bytes);
    if (this.#kept.length < HOLD_BYTES) return;
    if (!this.#lostBeginning) this.#meter(this.#form.answers.beginning(this.#kept.whole()));
    this.#lostBeginning = true;
    this.#kept.keepLast(TAIL_BYTES);
  }

  ended(): void {
    if (this.#kept.length === 0) return;
    const { answers } = this.#form;
    const bytes = this.#kept.whole();
    this.#meter(this.#lostBeginning ? answers.end(bytes) : answers.whole(bytes));
  }

  #meter(facts: AnswerFacts | undefined): void {
    const { wire, meter } = this.#o;
    if (facts === undefined || facts.error !== undefined) return;
    const counts = wire.toUsage(facts.usage, facts.answer);
    if (counts) meter.add(counts);
  }
}

const HOLD_BYTES = 65_536;
const TAIL_BYTES = 8_192;

/** A provider's own form, of which only the translation is known. */
class TranslatedWhole implements UsageWatch {
  readonly #o: WatchOptions;
  readonly #kept = new ByteList();
  #over = false;

  constructor(options: WatchOptions) {
    this.#o = options;
  }

  chunk(bytes: Buffer): void {
    if (this.#over) return;
    this.#kept.push(bytes);
    if (this.#kept.length <= this.#o.maxBytes) return;
    this.#over = true;
    this.#kept.keepLast(0);
  }

  ended(): void {
    const { wire, meter } = this.#o;
    if (this.#over || this.#kept.length === 0) return;
    const events = wire.translation!.fromResponse(this.#kept.whole());
    if (!(events instanceof GatewayError)) addUsage(events, meter);
  }
}

type Parser = typeof SseParser | typeof AwsEventStreamParser;

function translated({ wire, meter, maxBytes }: WatchOptions, Parse: Parser): UsageWatch | undefined {
  const reader = wire.translation?.eventReader?.();
  if (reader === undefined) return undefined;
  const events: InferenceEvent[] = [];
  const parser = new Parse((event, data) => {
    events.length = 0;
    reader.fromEvent(event, data, events);
    addUsage(events, meter);
  }, maxBytes);
  return { chunk: (bytes) => void parser.push(bytes), ended: () => {} };
}

function addUsage(events: readonly InferenceEvent[], meter: UsageMeter): void {
  for (const each of events) {
    if (each.type === 'usage') meter.add(each.usage);
    else if (bringsContent(each)) {
      meter.content();
      if ('text' in each) meter.translatedCharacters += each.text.length;
    }
  }
}

/** The number of answers that a request asks for, where only its wire is known; undefined: it is not billed by tokens. */
export function choicesOf(wire: Wire | undefined): number | undefined {
  switch (wire?.operation) {
    case 'chat':
    case 'completion':
    case 'messages':
    case 'responses':
      return 1;
    case 'embedding':
      return 0;
    default:
      return undefined;
  }
}
