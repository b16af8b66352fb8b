import { parseExactObject, scalarText } from '../codec/exact-json.ts';
import { isObject, type JsonObject, objectOf, parseObject, stringOf } from '../codec/json-value.ts';
import { SseParser } from '../codec/sse-parser.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { type AnswerReceiver, LocalExchange, type LocalRequest } from '../core/local-exchange.ts';
import type { Log } from '../core/log.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { keptAnswer, type WholeAnswer } from '../relay/kept-answer.ts';
import type { KeptResponse } from '../store/responses.ts';
import { addToConversation, type Turn } from './conversation-items.ts';
import type { ResponseRows } from './response-rows.ts';

/** A gateway that was not heard of for so long is gone, and so are the answers that it was making. */
export const LEASE_MS = 30_000;
/** Events of so long are kept together. */
const FLUSH_MS = 200;
/** How long the events of an answer can be told again. */
const EVENTS_KEPT_MS = 86_400_000;
/** Tries to keep the end of an answer while the database is away, and the time between two. */
const END_TRIES = 30;
const END_RETRY_MS = 1_000;
/** An event is not larger than an answer may be. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

const ENDS: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete', 'response.failed']);

export interface BackgroundRunOptions {
  readonly rows: ResponseRows;
  readonly pipeline: PipelineOptions;
  readonly log: Log;
}

/** One answer, from its request to the last write of its row. */
export class BackgroundRun implements AnswerReceiver {
  id = '';
  refusal: GatewayError | undefined;
  /** `asked`: its row is not there yet. `dropped`: it gets none. */
  #place: 'asked' | 'kept' | 'dropped' = 'asked';
  readonly #turn: Turn;
  readonly #o: BackgroundRunOptions;
  readonly #onOver: () => void;
  readonly #parser: SseParser;
  #local: LocalExchange | undefined;
  #fault: GatewayError | undefined;
  /** As the stream told it. */
  #failure: { readonly code: string; readonly message: string } | undefined;
  /** The answer as it was told last, and its text where the row does not have it yet. */
  #response: JsonObject = {};
  #unkept: string | undefined;
  #isWhole = false;
  #answer: Pick<WholeAnswer, 'target' | 'translated'> | undefined;
  /** Events that are not kept yet. */
  #events: string[] = [];
  #firstNumber = 0;
  #nextNumber = 0;
  #eventBytes = 0;
  #flushTimer: NodeJS.Timeout | undefined;
  /** One write after the other. */
  #writes: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(turn: Turn, options: BackgroundRunOptions, onOver: () => void) {
    this.#turn = turn;
    this.#o = options;
    this.#onOver = onOver;
    this.#parser = new SseParser((name, data) => this.#event(name, data), MAX_EVENT_BYTES);
  }

  get key() {
    return { owner: this.#turn.owner, id: this.id };
  }

  start(request: LocalRequest): LocalExchange {
    const local = new LocalExchange(request, this);
    this.#local = local;
    this.id = `resp_${local.id}`;
    return local;
  }

  /** Learns who answered. */
  filter(maxBytes: number) {
    return keptAnswer(maxBytes, async (answer) => {
      this.#answer = answer;
    });
  }

  get isKept(): boolean {
    return this.#place === 'kept';
  }

  /** It is given up, and nobody can ask for it. */
  drop(): void {
    this.#place = 'dropped';
    this.abandon();
    if (this.#isOver) this.#onOver();
  }

  /** Why it cannot be kept; then it is given up. */
  async keep(queued: JsonObject, createdAt: number): Promise<GatewayError | undefined> {
    const { owner, state, items } = this.#turn;
    const { keepMs } = this.#settings;
    this.#response = { ...queued, ...this.#response };
    const kept: KeptResponse = {
      owner,
      id: this.id,
      target: '',
      atProvider: false,
      passed: false,
      previousId: state.previousId,
      conversationId: state.conversationId,
      createdAt,
      expiresAt: createdAt + keepMs,
      leaseUntil: createdAt + LEASE_MS,
      input: items,
      response: JSON.stringify(queued),
    };
    const refusal = await this.#o.rows.keep(kept);
    if (refusal) {
      this.drop();
      return refusal;
    }
    this.#place = 'kept';
    if (this.#isOver) this.#end();
    else this.#flushSoon();
    return undefined;
  }

  abandon(): void {
    this.#local?.abort('client');
  }

  cut(): void {
    this.#local?.abort('drain');
  }

  // ── what is heard of the answer ───────────────────────────────────────────

  take(bytes: Uint8Array): boolean {
    this.#fault ??= this.#parser.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (this.#fault) setImmediate(() => this.abandon());
    return true;
  }

  refused(error: GatewayError): void {
    this.refusal = error;
  }

  over(error: GatewayError | undefined): void {
    this.#isOver = true;
    this.#fault ??= error;
    if (this.#place === 'kept') this.#end();
    else if (this.#place === 'dropped') this.#onOver();
  }

  #event(name: string | undefined, data: string): void {
    if (data === '[DONE]' || data === '') return;
    const told = /"sequence_number"\s*:\s*(\d{1,9})/.exec(data)?.[1];
    let text = data;
    let type: unknown = name;
    if (told === undefined || data.includes('"response"')) {
      const event = parseExactObject(data);
      if (event === undefined) return;
      type = event['type'] ?? name;
      const own: Record<string, unknown> = { ...event, sequence_number: event['sequence_number'] ?? this.#nextNumber };
      if (isObject(event['response'])) {
        own['response'] = this.#own(event['response']);
        this.#isWhole = ENDS.has(type);
      }
      text = JSON.stringify(own);
    }
    if (type === 'error') this.#failure = failureIn(parseObject(text));
    this.#add(scalarText(type) ?? '', text, told === undefined ? this.#nextNumber : Number(told));
  }

  /** The provider's own answer under the id by which it is asked for here. */
  #own(response: JsonObject): JsonObject {
    const { conversationId } = this.#turn.state;
    const conversation = conversationId === undefined ? {} : { conversation: { id: conversationId } };
    const own = { ...response, id: this.id, background: true, ...conversation };
    this.#response = own;
    this.#unkept = JSON.stringify(own);
    return own;
  }

  #add(type: string, data: string, number: number): void {
    const text = `event: ${type}\ndata: ${data}\n\n`;
    this.#nextNumber = number + 1;
    this.#eventBytes += Buffer.byteLength(text);
    if (this.#eventBytes <= this.#settings.maxEventBytes) {
      if (this.#events.length === 0) this.#firstNumber = number;
      this.#events.push(text);
    }
    this.#flushSoon();
  }

  // ── what is kept of it ────────────────────────────────────────────────────

  get #settings() {
    return this.#o.pipeline.snapshot().settings.responses;
  }

  #flushSoon(): void {
    if (!this.isKept) return;
    this.#flushTimer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#writes = this.#writes.then(async () => {
      const wanted = await this.#advance(undefined);
      if (wanted === false) this.abandon();
    });
  }

  /** Whether it is still wanted; where the database is away all of it is tried again later. */
  async #advance(ended: Pick<KeptResponse, 'target' | 'atProvider' | 'passed'> | undefined): Promise<OrError<boolean>> {
    const events = this.#events;
    const response = this.#unkept;
    if (events.length === 0 && response === undefined && ended === undefined) return true;
    this.#events = [];
    this.#unkept = undefined;
    const first = this.#firstNumber;
    const piece = { first, last: this.#nextNumber - 1, text: events.join(''), expiresAt: Date.now() + EVENTS_KEPT_MS };
    const wanted = await this.#o.rows.advance({
      ...this.key,
      response,
      events: events.length === 0 ? undefined : piece,
      ended,
    });
    if (wanted instanceof GatewayError) {
      this.#events = [...events, ...this.#events];
      this.#firstNumber = first;
      this.#unkept ??= response;
      this.#flushSoon();
    }
    return wanted;
  }

  #end(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#writes = this.#writes
      .then(() => this.#keepEnd())
      .catch((error: unknown) => this.#o.log.error({ error, response: this.id }, 'an answer could not be kept'))
      .then(() => this.#onOver());
  }

  async #keepEnd(): Promise<void> {
    const { maxBytes, keepMs } = this.#settings;
    const tooLarge = Buffer.byteLength(this.#unkept ?? '') > maxBytes;
    if (!this.#isWhole || tooLarge) {
      const setting = `responses.max_bytes: ${maxBytes}`;
      this.#fail(tooLarge ? new GatewayError('upstream_too_large', { setting }) : this.#fault);
    }
    const answer = this.#answer;
    const passed = answer?.translated === false;
    const target = answer?.target ?? '';
    const { status, output } = parseObject(this.#unkept ?? '{}') ?? {};
    for (let tries = 0; tries < END_TRIES; tries += 1) {
      const kept = await this.#advance({ target, atProvider: false, passed });
      if (!(kept instanceof GatewayError)) {
        const { rows } = this.#o;
        if (kept && status === 'completed') {
          await addToConversation(this.#turn, output, { target, passed }, rows, keepMs);
        }
        return;
      }
      clearTimeout(this.#flushTimer);
      this.#flushTimer = undefined;
      await new Promise((resolve) => setTimeout(resolve, END_RETRY_MS));
    }
    this.#o.log.error({ response: this.id }, 'the end of an answer could not be kept');
  }

  /** There is no whole answer. */
  #fail(error: GatewayError = new GatewayError('upstream_cut')): void {
    const code = error.context.upstreamCode ?? (error.status === 429 ? 'rate_limit_exceeded' : 'server_error');
    const failure = this.#failure ?? { code, message: error.message };
    const response = this.#own({ ...this.#response, status: 'failed', error: failure });
    const event = { type: 'response.failed', sequence_number: this.#nextNumber, response };
    this.#add(event.type, JSON.stringify(event), this.#nextNumber);
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
  }
}

function failureIn(event: JsonObject | undefined): { code: string; message: string } | undefined {
  const told = objectOf(event?.['error']) ?? event;
  const message = stringOf(told?.['message']);
  return message === undefined ? undefined : { code: stringOf(told?.['code']) ?? 'server_error', message };
}
