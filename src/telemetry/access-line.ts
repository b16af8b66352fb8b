import { SERVED_TERMS, type ServedAs, TERM_NAMES } from '../inference/served-as.ts';
import { COUNTER_NAMES, type CounterName, RARE_COUNTERS, USAGE_COUNTERS } from '../inference/usage-counters.ts';
import type { RecordView } from './exchange-record.ts';
import type { LineWriter } from './line-writer.ts';

/**
 * A record as one JSON line, in the shape of our other log lines (pino's: level, time, fields, msg). Put together by hand,
 * because every exchange pays for it: less than a third of what the general serializer takes (bench: access-line). Field
 * names are OpenTelemetry's where it has one (`http.*`, `gen_ai.*`, `error.type`). What a client chose is escaped as JSON and
 * cut, so that no header makes a line of its own or a long one; undefined fields are left out: unknown is not zero.
 */
export class AccessLine {
  readonly #labels = new LineLabels();
  #timeMs = Number.NaN;
  #begin: Buffer = Buffer.alloc(0);

  write(record: RecordView, timeMs: number, into: LineWriter): void {
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#begin = Buffer.from(`{"level":"info","time":${timeMs},"sluice.exchange.id":"`);
    }
    const { id, usage, costNanoUsd } = record;
    const labels = this.#labels.of(record);
    into.bytes(this.#begin);
    into.ascii(id);
    if (this.#labels.isUsual) into.bytes(labels.whatAndWho);
    else unusual(record, labels, into);
    if (usage) {
      number(into, COUNTS.inputTokens, usage.inputTokens);
      number(into, COUNTS.outputTokens, usage.outputTokens);
      number(into, COUNTS.cacheReadInputTokens, usage.cacheReadInputTokens);
      number(into, COUNTS.cacheCreationInputTokens, usage.cacheCreationInputTokens);
      number(into, COUNTS.reasoningOutputTokens, usage.reasoningOutputTokens);
      moreThanZero(into, COUNTS.cacheCreation1hInputTokens, usage.cacheCreation1hInputTokens);
      moreThanZero(into, COUNTS.audioInputTokens, usage.audioInputTokens);
      moreThanZero(into, COUNTS.audioOutputTokens, usage.audioOutputTokens);
      if (usage.rare !== undefined) for (const name of RARE_COUNTERS) number(into, COUNTS[name], usage.rare[name]);
      if (usage.servedAs !== undefined) terms(into, usage.servedAs);
      into.bytes(labels.usageSource);
    }
    if (costNanoUsd !== undefined) {
      into.bytes(COST);
      into.milliardths(costNanoUsd);
    } else if (record.unknownCost !== undefined)
      into.text(`,"sluice.cost.unknown_part":${quoted(record.unknownCost.part)}`);
    into.bytes(attemptsAndThread(record));
    into.number(Math.round(record.startedAt));
    milliseconds(into, DURATION, record.durationMs);
    milliseconds(into, OVERHEAD, record.overheadMs);
    milliseconds(into, UPSTREAM, record.upstreamMs);
    milliseconds(into, FIRST_TOKEN, record.firstTokenMs);
    milliseconds(into, INTER_TOKEN, record.interTokenMs);
    number(into, BYTES_IN, record.bytesIn);
    number(into, BYTES_OUT, record.bytesOut);
    into.bytes(END);
  }
}

/** Some of what few exchanges have is there. */
function unusual(record: RecordView, labels: Labels, into: LineWriter): void {
  const { id, requestId, errorDetail, clientJson, metadataJson, cacheJson } = record;
  into.ascii('"');
  if (requestId !== id) into.text(`,"http.request.id":${quoted(requestId)}`);
  into.text(labels.what);
  if (errorDetail !== undefined) into.text(`,"error.message":${quoted(errorDetail)}`);
  if (clientJson !== undefined) into.text(clientFields(clientJson));
  into.text(labels.who);
  // As it is: one line of JSON, of the keys that the configuration names.
  if (metadataJson !== undefined) into.text(`,"sluice.metadata":${metadataJson}`);
  if (cacheJson !== undefined) into.text(`,"sluice.cache":${cacheJson}`);
}

function isUsual({ id, requestId, errorDetail, clientJson, metadataJson, cacheJson }: RecordView): boolean {
  if (requestId !== id || errorDetail !== undefined || clientJson !== undefined) return false;
  return metadataJson === undefined && cacheJson === undefined;
}

/** The field of every counter. */
const COUNTS = Object.fromEntries(
  COUNTER_NAMES.map((name) => [name, field(attributeOf(USAGE_COUNTERS[name]))]),
) as Readonly<Record<CounterName, Buffer>>;
const COST = field('sluice.cost.usd');
const DURATION = field('sluice.duration_ms');
const OVERHEAD = field('sluice.overhead_ms');
const UPSTREAM = field('sluice.upstream_ms');
const FIRST_TOKEN = field('sluice.first_token_ms');
const INTER_TOKEN = field('sluice.inter_token_ms');
const BYTES_IN = field('http.request.body.size');
const BYTES_OUT = field('http.response.body.size');
const END = Buffer.from(',"msg":"exchange"}\n');

/** Those of nearly all exchanges are few, and their fields stand side by side. */
const knownAttempts: Buffer[] = [];
const MAX_KNOWN_ATTEMPTS = 8;
const MAX_KNOWN_THREADS = 128;

/** The fields of attempts and thread, and the name of the one behind them. */
function attemptsAndThread({ attempts, thread }: RecordView): Buffer {
  if (attempts >= MAX_KNOWN_ATTEMPTS || thread >= MAX_KNOWN_THREADS) return attemptFields(attempts, thread);
  const place = thread * MAX_KNOWN_ATTEMPTS + attempts;
  knownAttempts[place] ??= attemptFields(attempts, thread);
  return knownAttempts[place];
}

function attemptFields(attempts: number, thread: number): Buffer {
  return Buffer.from(`,"sluice.attempts":${attempts},"sluice.thread":${thread},"sluice.started_at_ms":`);
}

function field(name: string): Buffer {
  return Buffer.from(`,"${name}":`);
}

function number(into: LineWriter, name: Buffer, value: number | undefined): void {
  if (value === undefined) return;
  into.bytes(name);
  into.number(value);
}

function attributeOf(counter: { readonly column: string; readonly attribute?: string }): string {
  return counter.attribute ?? `sluice.usage.${counter.column}`;
}

/** Most providers tell zeros of what they never do. */
function moreThanZero(into: LineWriter, name: Buffer, value: number | undefined): void {
  if (value) number(into, name, value);
}

function terms(into: LineWriter, servedAs: ServedAs): void {
  for (const name of TERM_NAMES) {
    const value = servedAs[name];
    if (value !== undefined) into.text(`,"sluice.served_as.${SERVED_TERMS[name].column}":${quoted(value)}`);
  }
}

function milliseconds(into: LineWriter, name: Buffer, value: number | undefined): void {
  if (value === undefined) return;
  into.bytes(name);
  into.thousandths(value);
}

/** The fields that repeat from line to line, and their bytes. */
interface Labels {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: string;
  readonly errorCode: string | undefined;
  readonly subject: string | undefined;
  readonly keyId: string | undefined;
  readonly model: string | undefined;
  readonly target: string | undefined;
  readonly provider: string | undefined;
  readonly stream: boolean;
  readonly source: string | undefined;
  readonly what: string;
  readonly who: string;
  /** Both, behind the quote that ends the id: nearly always nothing stands between them. */
  readonly whatAndWho: Buffer;
  readonly usageSource: Buffer;
  readonly depth: number;
  readonly next: Labels | undefined;
}

const MOST_LABELS = 4_096;
/** The most texts of one subject that are compared. */
const MOST_COMPARED = 64;
const LONGEST_TEXT = 300;

/** Labels of one subject and model are few, and found by comparing. */
class LineLabels {
  #known = new Map<string | undefined, Labels>();
  #size = 0;
  #last: Labels | undefined;
  /** See RecordView, of the latest record. */
  #like: number | undefined;
  /** The latest record has nothing beside its labels. */
  isUsual = false;

  of(record: RecordView): Labels {
    const last = this.#last;
    const { like } = record;
    if (like !== undefined && like === this.#like) {
      if (last !== undefined && last.status === record.status && last.stream === record.stream) return last;
    } else {
      this.#like = like;
      this.isUsual = isUsual(record);
    }
    if (last !== undefined && isOf(last, record)) return last;
    const first = this.#known.get(record.subject);
    let labels = first;
    while (labels !== undefined && !isOf(labels, record)) labels = labels.next;
    labels ??= this.#add(record, first);
    this.#last = labels;
    return labels;
  }

  #add(record: RecordView, first: Labels | undefined): Labels {
    this.#size += 1;
    if (this.#size > MOST_LABELS) {
      this.#known = new Map();
      this.#size = 1;
    }
    const next = first !== undefined && first.depth < MOST_COMPARED ? first : undefined;
    const labels = labelsOf(record, next);
    this.#known.set(record.subject, labels);
    return labels;
  }
}

function isOf(labels: Labels, record: RecordView): boolean {
  return (
    labels.subject === record.subject &&
    labels.model === record.model &&
    labels.status === record.status &&
    labels.stream === record.stream &&
    labels.outcome === record.outcome &&
    labels.errorCode === record.errorCode &&
    labels.target === record.target &&
    labels.provider === record.provider &&
    labels.keyId === record.keyId &&
    labels.path === record.path &&
    labels.method === record.method &&
    labels.source === record.usageSource
  );
}

function labelsOf(record: RecordView, next: Labels | undefined): Labels {
  const { method, path, status, outcome, errorCode, subject, keyId, model, target, provider, stream } = record;
  let what = `,"http.request.method":${quoted(method)},"http.route":${quoted(path)}`;
  what += `,"http.response.status_code":${status},"sluice.outcome":"${outcome}"`;
  if (errorCode !== undefined) what += `,"error.type":"${errorCode}"`;
  let who = '';
  if (subject !== undefined) who += `,"user.id":${quoted(subject)}`;
  if (keyId !== undefined) who += `,"sluice.key.id":${quoted(keyId)}`;
  if (model !== undefined) who += `,"gen_ai.request.model":${quoted(model)}`;
  if (target !== undefined) who += `,"gen_ai.response.model":${quoted(target)}`;
  if (provider !== undefined) who += `,"gen_ai.provider.name":${quoted(provider)}`;
  who += `,"gen_ai.request.stream":${stream}`;
  const source = record.usageSource;
  return {
    ...{ method, path, status, outcome, errorCode, subject, keyId, model, target, provider, stream, source },
    what,
    who,
    whatAndWho: Buffer.from(`"${what}${who}`),
    usageSource: Buffer.from(source === undefined ? '' : `,"sluice.usage.source":"${source}"`),
    depth: (next?.depth ?? 0) + 1,
    next,
  };
}

/** Only of refusals, which are few. */
function clientFields(clientJson: string): string {
  const { address, userAgent, path }: Record<string, unknown> = JSON.parse(clientJson);
  return field('client.address', address) + field('user_agent.original', userAgent) + field('url.path', path);

  function field(name: string, value: unknown): string {
    return typeof value === 'string' ? `,"${name}":${quoted(value)}` : '';
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);
}
