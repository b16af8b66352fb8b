/**
 * One request being answered. Owns the response object until `#done`; after an abort it is never touched again.
 * Backpressure is honoured everywhere: a peer that does not read stops the stream, and the mock holds no bytes for it.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { type Answers, errorBody, errorEvent } from './answers.ts';
import type { Behaviour } from './behaviour.ts';
import type { Peeked } from './request-peek.ts';
import { recordAbort, type Stats } from './stats.ts';

const STATUS_TEXT: Record<number, string> = { 200: 'OK', 400: 'Bad Request', 429: 'Too Many Requests' };

/** What the addon holds in a cork, less the head. */
const SHARED_SEND_BYTES = 15_872;
/** A length in four digits and two line ends. */
const CHUNK_FRAME_BYTES = 8;

export class Exchange {
  readonly #res: HttpResponse;
  readonly #stats: () => Stats;
  #behaviour!: Behaviour;
  #answers!: Answers;
  #asked!: Peeked;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;
  #sent = 0;
  #blocked = false;
  #done = false;

  constructor(res: HttpResponse, stats: () => Stats) {
    this.#res = res;
    this.#stats = stats;
    const now = stats();
    now.requests++;
    now.open++;
    now.openPeak = Math.max(now.openPeak, now.open);
    res.onAborted(() => {
      if (this.#done) return;
      this.#close();
      recordAbort(stats(), this.#asked?.user ?? '', this.#sent);
    });
  }

  answer(asked: Peeked, behaviour: Behaviour, answers: Answers): void {
    this.#asked = asked;
    this.#behaviour = behaviour;
    this.#answers = answers;
    if (behaviour.firstByteMs === 0) this.#begin();
    else this.#after(behaviour.firstByteMs, () => this.#begin());
  }

  /** A whole JSON answer that is none of the canned ones. */
  answerWith(status: number, body: string | Buffer): void {
    this.#head(status, 'application/json');
    this.#finish(body);
  }

  #begin(): void {
    const { fault, faultAfter, status } = this.#behaviour;
    const { stream } = this.#asked;
    if (status !== 200) this.#refuse(status);
    else if (fault !== 'none' && (faultAfter === 0 || !stream)) this.#fail();
    else if (stream) this.#startStream();
    else {
      this.#head(200, 'application/json');
      this.#finish(this.#answers.whole);
    }
  }

  #refuse(status: number): void {
    const { retryAfterSeconds } = this.#behaviour;
    this.#head(status, 'application/json');
    if (retryAfterSeconds > 0) this.#res.writeHeader('retry-after', String(retryAfterSeconds));
    this.#finish(errorBody(status, `mock answers ${status}`));
  }

  #startStream(): void {
    this.#head(200, this.#answers.streamType ?? 'text/event-stream; charset=utf-8');
    this.#res.writeHeader('cache-control', 'no-cache');
    if (this.#behaviour.headMs === 0) this.#startContent();
    else {
      // The addon ends a head only with the first byte of a body: an SSE comment is a byte without content.
      this.#res.write(': head\n\n');
      this.#after(this.#behaviour.headMs, () => this.#startContent());
    }
  }

  #startContent(): void {
    this.#res.onWritable(() => {
      this.#blocked = false;
      this.#res.cork(() => this.#pump());
      return true;
    });
    const { intervalMs, flushed } = this.#behaviour;
    if (intervalMs > 0) {
      this.#due = 1;
      this.#timer = setInterval(() => this.#dueNext(), intervalMs);
    } else if (flushed) {
      this.#due = 1;
      setImmediate(() => this.#flushNext());
    } else this.#due = this.#lastEvent();
    this.#pump();
  }

  /** One more event, in a turn of the loop of its own, so that it leaves in a send of its own. */
  #flushNext(): void {
    if (this.#done) return;
    this.#dueNext();
    if (this.#due < this.#lastEvent()) setImmediate(() => this.#flushNext());
  }

  #dueNext(): void {
    if (this.#due >= this.#lastEvent()) {
      clearInterval(this.#timer);
      return;
    }
    this.#due++;
    if (!this.#blocked) this.#res.cork(() => this.#pump());
  }

  #lastEvent(): number {
    const { fault, faultAfter } = this.#behaviour;
    return fault === 'none' ? this.#answers.stream.chunks : Math.min(faultAfter, this.#answers.stream.chunks);
  }

  /** Writes what is due, within a cork, until the socket is full; ends the stream after its last event. */
  #pump(): void {
    const { stream } = this.#answers;
    const stats = this.#stats();
    let shared = 0;
    while (this.#sent < this.#due && !this.#blocked) {
      const event = stream.event(this.#sent);
      shared += event.length + CHUNK_FRAME_BYTES;
      if (shared > SHARED_SEND_BYTES && shared > event.length + CHUNK_FRAME_BYTES) {
        // What overflows a cork would leave in four small sends an event.
        this.#pumpLater();
        return;
      }
      this.#sent++;
      stats.contentEvents++;
      this.#blocked = !this.#res.write(event);
    }
    if (this.#sent < this.#due) return;
    if (this.#done || this.#sent < this.#lastEvent()) return;
    if (this.#behaviour.fault !== 'none') this.#fail();
    else this.#finish(this.#asked.includeUsage ? stream.tailWithUsage : stream.tail);
  }

  #pumpLater(): void {
    setImmediate(() => {
      if (!this.#done && !this.#blocked) this.#res.cork(() => this.#pump());
    });
  }

  #fail(): void {
    const { fault, faultAfter } = this.#behaviour;
    clearTimeout(this.#timer);
    if (fault === 'error') {
      if (faultAfter > 0) this.#finish(errorEvent());
      else this.#refuse(500);
    } else if (fault === 'die') {
      this.#close();
      this.#stats().died++;
      // In a turn of its own: a close while still corked loses what was written just before.
      setImmediate(() => this.#res.close());
    }
  }

  #head(status: number, contentType: string): void {
    this.#res.writeStatus(`${status} ${STATUS_TEXT[status] ?? 'Mock'}`);
    this.#res.writeHeader('content-type', contentType);
    this.#res.writeHeader('x-request-id', 'req-mock');
    this.#res.writeHeader('x-ratelimit-remaining-requests', '9999');
  }

  #finish(body: string | Buffer): void {
    this.#close();
    this.#stats().finished++;
    this.#res.cork(() => this.#res.end(body));
  }

  #after(ms: number, then: () => void): void {
    this.#timer = setTimeout(() => this.#res.cork(then), ms);
  }

  #close(): void {
    this.#done = true;
    this.#stats().open--;
    clearTimeout(this.#timer);
  }
}
