import type { HttpResponse } from 'uWebSockets.js';
import type { ResponseSink } from '../core/exchange.ts';
import { joinHead, statusLine } from './response-head.ts';

export interface SinkOwner {
  /** The last byte was handed to the addon, or the connection closed by us. */
  answered(): void;
}

/**
 * One client's answer. Invariants:
 * - The head waits for the first byte of the body; what is written in one turn of the loop leaves as one corked send at
 *   its end: a send per provider chunk costs half as much again on whole answers and a third on bursts (load: overhead).
 * - While the socket does not take more (`#blocked`) chunks wait here, not in the addon, so the bound is ours: `write`
 *   says false above the high watermark and `onDrained` is called at a quarter of it.
 * - After an abort or the end nothing touches `#response` any more: the addon would throw.
 */
export class UwsResponseSink implements ResponseSink {
  onDrained: (() => void) | undefined;
  started = false;
  bytesOut = 0;
  /** performance.now() since when the client has taken nothing although something waits; 0 while nothing waits. */
  blockedSince = 0;
  readonly #response: HttpResponse;
  readonly #highWatermarkBytes: number;
  readonly #owner: SinkOwner;
  #status = 200;
  #headers: readonly string[] = [];
  #headSent = false;
  #waiting: Uint8Array[] = NOTHING;
  #waitingBytes = 0;
  #blocked = false;
  #listening = false;
  #wantsDrain = false;
  #scheduled = false;
  #ending: 'no' | 'end' | 'cut' = 'no';
  #dead = false;

  constructor(response: HttpResponse, highWatermarkBytes: number, owner: SinkOwner) {
    this.#response = response;
    this.#highWatermarkBytes = highWatermarkBytes;
    this.#owner = owner;
  }

  start(status: number, headers: readonly string[]): void {
    if (this.started || this.#dead) return;
    this.started = true;
    this.#status = status;
    this.#headers = headers;
    this.#schedule();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#dead || this.#ending !== 'no') return true;
    this.#add(chunk);
    if (!this.#blocked) this.#schedule();
    if (this.#waitingBytes <= this.#highWatermarkBytes) return true;
    // Much in one turn is no sign of a slow client: only what the socket does not take is.
    if (!this.#blocked) this.flush();
    if (!this.#blocked) return true;
    this.#wantsDrain = true;
    return false;
  }

  end(chunk?: Uint8Array): void {
    if (this.#dead || this.#ending !== 'no') return;
    if (chunk) this.#add(chunk);
    this.#ending = 'end';
    if (!this.#blocked) this.#schedule();
  }

  cut(): void {
    if (this.#dead || this.#ending !== 'no') return;
    this.#ending = 'cut';
    if (!this.#blocked) this.#schedule();
  }

  /** The client is gone: from here on everything is a no-op. */
  abandon(): void {
    this.#dead = true;
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.onDrained = undefined;
  }

  /** Closes the connection at once, whatever still waits. */
  close(): void {
    if (this.#dead) return;
    this.abandon();
    this.#response.close();
  }

  /**
   * The addon closes connections by a ten-second rule of its own while a client reads slowly; pausing and resuming
   * re-arms it. The sweep calls this so that only `write_ms` decides.
   */
  keepOpen(): void {
    if (this.#dead) return;
    this.#response.pause();
    this.#response.resume();
  }

  get isBlocked(): boolean {
    return this.#blocked;
  }

  #add(chunk: Uint8Array): void {
    // Mostly it is the only one; an array that grows from nothing makes room for seventeen.
    if (this.#waiting === NOTHING) this.#waiting = [chunk];
    else this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.bytesOut += chunk.length;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    flushQueue[flushQueued] = this;
    flushQueued += 1;
    if (flushQueued === 1) process.nextTick(flushAll);
  }

  /**
   * Called at the end of the turn in which something was written. A head alone waits: the addon closes it with the first
   * byte of the body anyway.
   */
  flush(): void {
    this.#scheduled = false;
    if (this.#dead || this.#blocked) return;
    if (this.#waiting.length === 0 && this.#ending === 'no') return;
    if (this.#ending !== 'no') beforeLastByte();
    if (this.#ending === 'cut') {
      this.#flushAndCut();
      return;
    }
    corkedSink = this;
    this.#response.cork(flushCorked);
  }

  /** Inside the cork. */
  writeCorked(): void {
    const response = this.#response;
    const body = this.#takeWaiting();
    if (!this.#headSent) this.#writeHead();
    if (this.#ending === 'end') {
      this.#dead = true;
      this.blockedSince = 0;
      // Without an earlier write the addon sends content-length, else the last chunk and the terminator.
      if (body) response.end(body);
      else response.end();
      this.#owner.answered();
      return;
    }
    if (body && !response.write(body)) this.#block();
  }

  /**
   * Closing loses what the addon still holds, and a small write within a cork does not tell whether the kernel took it;
   * the next one does. So what waits is written now, and a line feed in the next turn: when that meets no backlog, all
   * before it has left. It is in nobody's way: behind an error event it is an empty line, behind a broken body nothing.
   */
  #flushAndCut(): void {
    const body = this.#takeWaiting();
    if (body) {
      this.#corked(body);
      if (this.#blocked) return;
    }
    setImmediate(() => {
      if (this.#dead || this.#blocked) return;
      this.#corked(LINE_FEED);
      if (this.#blocked) return;
      // Told first: closing is reported back as an abort, and this is none.
      this.#owner.answered();
      this.close();
    });
  }

  #corked(body: Uint8Array): void {
    this.#response.cork(() => {
      if (!this.#headSent) this.#writeHead();
      if (!this.#response.write(body)) this.#block();
    });
  }

  #writeHead(): void {
    this.#headSent = true;
    this.#response.writeStatus(statusLine(this.#status));
    this.#response.writeHeader(this.#headers[0]!, joinHead(this.#headers));
  }

  #takeWaiting(): Uint8Array | undefined {
    const chunks = this.#waiting;
    if (chunks.length === 0) return undefined;
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.#waitingBytes);
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    return body;
  }

  #block(): void {
    this.#blocked = true;
    this.blockedSince = performance.now();
    if (!this.#listening) {
      this.#listening = true;
      this.#response.onWritable(this.#onWritable);
    }
  }

  #onWritable = (): boolean => {
    if (this.#dead) return true;
    this.blockedSince = performance.now();
    // The addon tells that the socket takes more, not that its own buffer is empty: a small piece probes that, so
    // that its buffer cannot grow by a whole flush each time a slow client takes a little.
    const probe = this.#takeProbe();
    if (probe && !this.#response.write(probe)) return true;
    this.#blocked = false;
    this.blockedSince = 0;
    if (this.#waiting.length > 0 || this.#ending !== 'no') this.flush();
    if (!this.#blocked && this.#wantsDrain && this.#waitingBytes <= this.#highWatermarkBytes >> 2) {
      this.#wantsDrain = false;
      this.onDrained?.();
    }
    return true;
  };

  #takeProbe(): Uint8Array | undefined {
    const first = this.#waiting[0];
    if (first === undefined) return undefined;
    if (first.length <= PROBE_BYTES) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(PROBE_BYTES);
    const probe = first.length <= PROBE_BYTES ? first : first.subarray(0, PROBE_BYTES);
    this.#waitingBytes -= probe.length;
    return probe;
  }
}

const PROBE_BYTES = 1024;
/** Shared by all sinks: never pushed to. */
const NOTHING: Uint8Array[] = [];
const LINE_FEED = Buffer.from('\n');

/** Must be done before the last byte of any answer leaves. An answer is recorded in the turn in which it is ended, so once is enough for all. */
let beforeLastByte: () => void = () => {};

export function runBeforeLastByte(run: () => void): void {
  beforeLastByte = run;
}

/** Sinks that were written to in this turn of the loop: one tick serves all of them. Its places are used again. */
const flushQueue: (UwsResponseSink | undefined)[] = [];
let flushQueued = 0;
let corkedSink: UwsResponseSink | undefined;

function flushAll(): void {
  // What is written meanwhile joins the queue and is flushed in the same turn.
  for (let i = 0; i < flushQueued; i += 1) {
    const sink = flushQueue[i]!;
    flushQueue[i] = undefined;
    try {
      sink.flush();
    } catch (error) {
      // A bug with one client must not cost the others of this turn theirs.
      queueMicrotask(() => {
        throw error;
      });
      try {
        sink.close();
      } catch {
        // The addon has let go of it already.
      }
    }
  }
  flushQueued = 0;
}

/** One function for all corks: a closure per flush would be garbage per chunk. */
function flushCorked(): void {
  corkedSink?.writeCorked();
  corkedSink = undefined;
}
