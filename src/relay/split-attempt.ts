import { ByteList } from '../codec/byte-list.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { AttemptControl, AttemptHandler } from '../providers/provider.ts';
import type { OutboundRequest, UpstreamAttempt } from '../upstream/attempt.ts';
import { type AnswerParts, inPart, partOf } from './answer-translation.ts';
import { MAX_ERROR_BYTES } from './error-answer.ts';
import type { HeldMemory } from './held-memory.ts';
import { queueFull } from './outbound.ts';
import type { AnsweredPart } from './part-usage.ts';

/** Parts of one request that are asked at the same time: enough to be quick, few enough to leave others a connection. */
const MAX_LIVE_PARTS = 4;

export interface SplitAttemptOptions {
  /** In the order in which their answers are joined. */
  readonly requests: readonly OutboundRequest[];
  /** How many inputs each of them but the last has. */
  readonly partInputs: number;
  readonly handler: AttemptHandler;
  /** An attempt for one part, nothing of it sent yet. */
  begin(handler: AttemptHandler): UpstreamAttempt;
  /** `retryReusedConnection`, and the bounds of what is held and of what waits for a connection. */
  readonly settings: ServerSettings;
  readonly memory: HeldMemory;
  /** The provider's words for a failure as an error of ours. */
  toError(status: number, body: Buffer): GatewayError;
}

/**
 * One attempt that asks its provider several times, since the client's request is larger than the provider takes. From
 * outside it is one attempt: one head, the answers in the order of the parts, one end. Nothing is passed on before all
 * parts are whole: one that fails fails the whole, by name, and the others are aborted.
 */
export class SplitAttempt implements AttemptControl {
  readonly inLine = false;
  readonly diedReused = false;
  /** performance.now() when the first part began to be written; 0: none did. */
  get sentAt(): number {
    for (const { attempt } of this.#parts) if (attempt && attempt.sentAt > 0) return attempt.sentAt;
    return 0;
  }
  readonly #o: SplitAttemptOptions;
  readonly #parts: readonly Part[];
  #next = 0;
  #live = 0;
  #open: number;
  #heldBytes = 0;
  #paused = false;
  #over = false;

  constructor(options: SplitAttemptOptions) {
    this.#o = options;
    this.#parts = options.requests.map((request, index) => new Part(request, index, this));
    this.#open = this.#parts.length;
  }

  /** What the joined answer is made of, once it ended. */
  get parts(): AnswerParts {
    return { inputs: this.#o.partInputs, bytes: this.#parts.map(({ kept }) => kept.length) };
  }

  /** The parts whose answers are whole, whatever became of the others. */
  get answered(): AnsweredPart[] {
    return this.#parts
      .filter(({ isWhole }) => isWhole)
      .map(({ index, kept, request }) => ({ index, answer: kept.whole(), requestBytes: bytesOf(request.body) }));
  }

  /** False: no connection is to be had, and nothing was begun. */
  send(): boolean {
    while (this.#live < MAX_LIVE_PARTS && this.#next < this.#parts.length) {
      if (this.#start(this.#parts[this.#next]!)) this.#next += 1;
      // Further parts follow those that are live.
      else return this.#live > 0;
    }
    return true;
  }

  pause(): void {
    this.#paused = true;
    for (const { attempt } of this.#parts) attempt?.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const { attempt } of this.#parts) attempt?.resume();
  }

  abort(): void {
    this.#over = true;
    for (const part of this.#parts) if (!part.over) part.attempt?.abort();
  }

  /** All of it has ended by then. */
  linger(): void {}

  // ── what a part tells ─────────────────────────────────────────────────────

  /** False: it is not to be held. */
  holds(part: Part, bytes: number): boolean {
    if (this.#over) return false;
    this.#heldBytes += bytes;
    const error = this.#tooMuch(this.#heldBytes);
    if (error) this.failed(part, error);
    return error === undefined;
  }

  #tooMuch(bytes: number): GatewayError | undefined {
    const { settings, memory } = this.#o;
    const { maxTranslateBytes } = settings.limits;
    if (bytes > maxTranslateBytes) {
      return new GatewayError('upstream_too_large', { setting: `limits.max_translate_bytes: ${maxTranslateBytes}` });
    }
    return memory.mayHold(bytes) ? undefined : new GatewayError('upstream_too_large', { setting: memory.setting });
  }

  ended(part: Part): void {
    if (this.#over) return;
    if (!part.isWhole) {
      this.failed(part, this.#o.toError(part.status, part.kept.whole()));
      return;
    }
    this.#live -= 1;
    this.#open -= 1;
    if (this.#open === 0) this.#deliver();
    else this.#follow(part);
  }

  failed(part: Part, error: GatewayError): void {
    if (this.#over) return;
    if (part.attempt?.diedReused && !part.retried && this.#o.settings.retryReusedConnection) {
      part.retried = true;
      if (this.#start(part)) {
        this.#live -= 1;
        return;
      }
    }
    this.abort();
    this.#o.handler.failed(inPart(error, partOf(part.index, this.#o.partInputs)));
  }

  #follow(part: Part): void {
    if (this.send() || this.#live > 0) return;
    this.failed(part, queueFull(this.#o.settings));
  }

  #start(part: Part): boolean {
    const attempt = this.#o.begin(part);
    part.begins(attempt);
    // Another attempt at the same part writes its headers anew.
    if (!attempt.send({ ...part.request, headers: [...part.request.headers] })) return false;
    this.#live += 1;
    if (this.#paused) attempt.pause();
    return true;
  }

  #deliver(): void {
    this.#over = true;
    const { handler } = this.#o;
    handler.started(200, this.#parts[0]!.headers);
    for (const { kept } of this.#parts) handler.chunk(kept.whole());
    handler.ended();
  }
}

/** One request of several, and its answer as far as it came. */
class Part implements AttemptHandler {
  readonly request: OutboundRequest;
  readonly index: number;
  readonly kept = new ByteList();
  attempt: UpstreamAttempt | undefined;
  status = 0;
  headers: AnswerHeaders = {};
  retried = false;
  /** It was answered, and well. */
  isWhole = false;
  /** Its attempt calls back no more. */
  #over = false;
  readonly #whole: SplitAttempt;

  constructor(request: OutboundRequest, index: number, whole: SplitAttempt) {
    this.request = request;
    this.index = index;
    this.#whole = whole;
  }

  begins(attempt: UpstreamAttempt): void {
    this.attempt = attempt;
    this.#over = false;
  }

  get over(): boolean {
    return this.#over;
  }

  started(status: number, headers: AnswerHeaders): void {
    this.status = status;
    this.headers = headers;
  }

  chunk(bytes: Buffer): void {
    const isError = this.status < 200 || this.status > 299;
    if (isError && this.kept.length + bytes.length > MAX_ERROR_BYTES) return;
    if (this.#whole.holds(this, bytes.length)) this.kept.push(bytes);
  }

  ended(): void {
    this.#over = true;
    this.isWhole = this.status >= 200 && this.status <= 299;
    this.#whole.ended(this);
  }

  failed(error: GatewayError): void {
    this.#over = true;
    this.#whole.failed(this, error);
  }
}

function bytesOf(body: OutboundRequest['body']): number {
  if (Buffer.isBuffer(body)) return body.length;
  return Array.isArray(body) ? body.reduce((sum, piece) => sum + piece.length, 0) : 0;
}
