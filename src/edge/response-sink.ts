import type { HttpResponse } from 'uWebSockets.js';
import type { ResponseSink, SinkTap } from '../core/exchange.ts';
import type { JoinedHeaders } from '../core/header-lines.ts';
import { type Flushed, flushAtEndOfTurn, flushGuarded } from './flush-queue.ts';
import { encodeHead } from './head-bytes.ts';
import { currentTurn, isOver } from './request-turn.ts';
import { statusLine } from './response-head.ts';
import { WaitingChunks } from './waiting-chunks.ts';

export interface SinkOwner {
  /** Whether this answer is the last of its connection; the sink asks when the head leaves. */
  readonly closesAfterAnswer: boolean;
  /** The last byte was handed to the addon; the call comes within the cork. */
  ended(): void;
  /** The gateway has closed the connection, or is about to. */
  answered(): void;
}

/**
 * One client's answer. Invariants:
 * - The head waits for the first byte of the body; what is written in one turn of the loop leaves as one corked send at
 *   its end: a send per provider chunk costs half as much again on whole answers and a third on bursts (load: overhead).
 * - No cork holds more than the addon's buffer for it: what overflows that is lost when the kernel does not take what
 *   was corked before (the length of a chunk, say, whose bytes then never come).
 * - While the socket does not take more (`#blocked`) chunks wait here, not in the addon, so the bound is ours: `write`
 *   returns false above the high watermark, and `onDrained` is called at a quarter of it.
 * - After an abort or the end nothing touches `#response` any more: the addon would throw.
 */
export class UwsResponseSink implements ResponseSink, Flushed {
  onDrained: (() => void) | undefined;
  started = false;
  bytesOut = 0;
  /** The request is a HEAD: the answer tells the length of its body and leaves the body out. */
  headOnly = false;
  declaredBytes: number | undefined;
  tap: SinkTap | undefined;
  #bodyBytes = 0;
  /**
   * The side that closes the connection behind the answer. `no`: none. `left`: the addon, or the client, which was told to.
   * `now`: the owner, at once, since the kernel has all of the answer.
   */
  closing: 'no' | 'left' | 'now' = 'no';
  /** performance.now() since when the client has taken nothing although something waits; 0 while nothing waits. */
  blockedSince = 0;
  readonly #response: HttpResponse;
  readonly #highWatermarkBytes: number;
  readonly #owner: SinkOwner;
  readonly #waiting = new WaitingChunks();
  /** What the kernel did not take at once of an answer with a declared length. */
  #whole: Uint8Array | undefined;
  #status = 200;
  /** Flat name-value pairs, until they are sent. */
  #headers = NO_HEADERS;
  #joined: JoinedHeaders | undefined;
  #headSent = false;
  /** Something was written before the end: the addon sends it in chunks. */
  #chunked = false;
  #blocked = false;
  #listening = false;
  #wantsDrain = false;
  #scheduled = false;
  /** The turn of the request, in which nothing may leave; 0 when that turn is over. */
  #turn = 0;
  #ending: 'no' | 'end' | 'cut' = 'no';
  #dead = false;

  constructor(response: HttpResponse, highWatermarkBytes: number, owner: SinkOwner) {
    this.#response = response;
    this.#highWatermarkBytes = highWatermarkBytes;
    this.#owner = owner;
  }

  /**
   * An answer that may be given in the very turn of its request, in the addon's own cork of this socket, leaves in
   * the next. Answers of providers come in later turns anyway.
   */
  waitForNextTurn(): void {
    this.#turn = currentTurn();
  }

  start(status: number, headers: readonly string[], joined?: JoinedHeaders): void {
    if (this.started || this.#dead) return;
    this.started = true;
    this.tap?.began(status, headers);
    this.#status = status;
    this.#headers = headers;
    this.#joined = joined;
    this.#schedule();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#dead || this.#ending !== 'no') return true;
    this.#add(chunk);
    if (!this.#blocked) this.#schedule();
    if (this.#waiting.bytes <= this.#highWatermarkBytes) return true;
    // Many bytes in one turn are no sign of a slow client: only bytes that the socket does not take are.
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
    this.#waiting.clear();
    this.#whole = undefined;
    this.onDrained = undefined;
  }

  /** Closes the connection at once, whatever still waits. */
  close(): void {
    if (this.#dead) return;
    this.abandon();
    this.#response.close();
  }

  /**
   * Whether the addon may hold, or have held, bytes that the kernel did not take: ten seconds after that it closes the
   * connection, and what leaves meanwhile does not stop its clock.
   */
  get mayBeHeldUp(): boolean {
    return this.blockedSince > 0 || this.bytesOut > KERNEL_BYTES;
  }

  /**
   * The sweep calls this now and then, so that only `write_ms` decides: pausing and resuming begins the addon's ten
   * seconds anew. The write also shows that a slow client reads: the kernel takes a little long before it reports that it
   * takes more (Linux: when a third of its buffer is free).
   */
  keepOpen(): void {
    if (this.#dead) return;
    this.#response.pause();
    this.#response.resume();
    if (!this.#blocked) return;
    if (this.#whole) this.#retryWhole(this.#whole);
    else if (this.#waiting.bytes > 0) this.#probe();
  }

  #retryWhole(whole: Uint8Array): void {
    const { blockedSince } = this;
    const offset = this.#response.getWriteOffset();
    this.#response.cork(() => this.#writeWhole(whole, offset));
    if (!this.#dead && this.#response.getWriteOffset() === offset) this.blockedSince = blockedSince;
  }

  #add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.headOnly) {
      this.#bodyBytes += chunk.length;
      return;
    }
    this.#waiting.add(chunk);
    this.bytesOut += chunk.length;
    this.tap?.took(chunk);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    flushAtEndOfTurn(this);
  }

  /**
   * Called at the end of the turn in which something was written. A head alone waits: the addon closes it with the first
   * byte of the body anyway.
   */
  flush(): void {
    this.#send();
    if (!this.#blocked && this.#wantsDrain && this.#waiting.bytes <= this.#highWatermarkBytes >> 2) {
      this.#wantsDrain = false;
      this.onDrained?.();
    }
  }

  #send(): void {
    this.#scheduled = false;
    if (this.#dead || this.#blocked) return;
    if (this.#waiting.bytes === 0 && this.#ending === 'no') return;
    if (this.#turn !== 0) {
      if (!isOver(this.#turn)) {
        this.#scheduled = true;
        setImmediate(flushGuarded, this);
        return;
      }
      this.#turn = 0;
    }
    if (this.#ending !== 'no' && !beforeLastByte()) this.#ending = 'cut';
    while (!this.#dead && !this.#blocked && (this.#waiting.bytes > 0 || this.#ending === 'end')) {
      corkedSink = this;
      this.#response.cork(flushCorked);
    }
    if (this.#ending === 'cut' && !this.#dead && !this.#blocked) this.#cutNextTurn();
  }

  /** Runs inside the cork, which holds nothing yet. */
  writeCorked(): void {
    if (this.headOnly) {
      this.closing = 'left';
      this.#writeHead();
      // The addon does not count such an answer as given until the connection is closed.
      this.#response.endWithoutBody(this.declaredBytes ?? this.#bodyBytes, true);
      this.#ended();
      return;
    }
    let room = CORK_BYTES - FRAME_BYTES;
    if (!this.#headSent) {
      if (this.#owner.closesAfterAnswer) this.closing = 'left';
      room -= this.#writeHead();
      // A very long head leaves alone.
      if (room <= 0) return;
    }
    const fits = this.#waiting.bytes <= room;
    if (this.#ending === 'end' && !fits && !this.#chunked) {
      const whole = this.#waiting.takeAll()!;
      this.#endHead();
      this.#writeWhole(whole, 0);
    } else if (this.#ending === 'end' && fits) {
      // A write returns whether the cork before it has left; an end does not.
      if (this.#chunked && this.bytesOut > KERNEL_BYTES) {
        const probe = this.#waiting.take(PROBE_BYTES);
        if (probe) this.#write(probe);
        if (this.#blocked) return;
      }
      const last = this.#waiting.take(room);
      // Without an earlier write the addon sends content-length, else the last chunk and the terminator.
      if (this.closing === 'no') {
        if (last) this.#response.end(last);
        else this.#response.end();
      } else if (!this.#chunked) this.#response.end(last ?? NO_BYTES, true);
      else {
        if (this.bytesOut <= KERNEL_BYTES) this.closing = 'now';
        if (last) this.#response.end(last);
        else this.#response.end();
      }
      this.#ended();
    } else {
      this.#write(this.#waiting.take(room)!);
    }
  }

  #write(body: Uint8Array): void {
    if (!this.#chunked) this.#endHead();
    this.#chunked = true;
    if (!this.#response.write(body)) this.#block();
  }

  /** The addon takes as much of an answer with a declared length as the kernel takes, and asks for the rest. */
  #writeWhole(whole: Uint8Array, offset: number): void {
    // The addon reads its other return value before or after the write, as its compiler orders it.
    const [all] = this.#response.tryEnd(whole.subarray(offset), whole.length);
    if (all) this.#ended();
    else {
      this.#whole ??= this.#waiting.kept(whole);
      this.#block();
    }
  }

  #ended(): void {
    this.#dead = true;
    this.#whole = undefined;
    this.blockedSince = 0;
    this.#owner.ended();
  }

  /**
   * Closing loses what the addon still holds, and a small write within a cork does not tell whether the kernel took it;
   * the next one does. So what waits was written, and a line feed is in the next turn: when that meets no backlog, all
   * before it has left. It harms nothing: behind an error event it is an empty line, behind a broken body no reader is left.
   */
  #cutNextTurn(): void {
    setImmediate(() => {
      if (this.#dead || this.#blocked) return;
      this.#response.cork(() => {
        if (!this.#headSent) this.#writeHead();
        this.#write(LINE_FEED);
      });
      if (this.#blocked) return;
      // The owner is told first: the addon reports a close as an abort, and this is none.
      this.#owner.answered();
      this.close();
    });
  }

  /** Returns how many bytes the head has at most. */
  #writeHead(): number {
    this.#headSent = true;
    const headers = this.#headers;
    const head = encodeHead(headers, this.#joined);
    // Half a kilobyte, for as long as the answer streams.
    this.#headers = NO_HEADERS;
    this.#joined = undefined;
    // The addon writes this status by itself.
    if (this.#status !== 200) this.#response.writeStatus(statusLine(this.#status));
    this.#response.writeHeader(headers[0]!, head);
    return ADDED_HEAD_BYTES + (typeof head === 'string' ? 2 * head.length : head.length);
  }

  /** Closes the connection where the end of the answer did not tell the addon to. */
  #endHead(): void {
    if (this.closing !== 'no') this.#response.writeHeader('connection', 'close');
  }

  #block(): void {
    this.#blocked = true;
    this.blockedSince = performance.now();
    if (!this.#listening) {
      this.#listening = true;
      this.#response.onWritable((offset) => this.#takesMore(offset));
    }
  }

  #takesMore(offset: number): boolean {
    if (this.#dead) return true;
    const whole = this.#whole;
    if (whole) {
      // Within a cork the addon leaves the connection open until the cork ends.
      this.#response.cork(() => this.#writeWhole(whole, offset));
      return true;
    }
    if (this.#blocked) this.blockedSince = performance.now();
    if (this.#waiting.bytes > 0) this.#probe();
    else {
      // With a listener for `onWritable` the addon writes nothing by itself; an empty cork makes it write.
      this.#response.cork(NOTHING);
      this.#goOn();
    }
    return true;
  }

  /**
   * The addon tells that the socket takes more, not that its own buffer is empty: a small piece shows that, so that its
   * buffer cannot grow by a whole flush each time a slow client takes a little.
   */
  #probe(): void {
    const probe = this.#waiting.take(PROBE_BYTES)!;
    let taken = false;
    this.#response.cork(() => {
      taken = this.#response.write(probe);
    });
    if (taken) this.#goOn();
  }

  #goOn(): void {
    this.#blocked = false;
    this.blockedSince = 0;
    flushGuarded(this);
  }
}

/** The addon's buffer for one corked send. */
const CORK_BYTES = 16_384;
/** The lengths of two chunks in at most four digits with their line ends, and the last chunk. */
const FRAME_BYTES = 23;
/** What a head has beyond its headers: status line, date, the addon's mark, framing, line ends, the first header's name. */
const ADDED_HEAD_BYTES = 320;
/** Every kernel takes this many bytes for a client that reads nothing. */
const KERNEL_BYTES = 32_768;
const PROBE_BYTES = 1024;
const NO_BYTES = Buffer.alloc(0);
const NO_HEADERS: readonly string[] = [];
const LINE_FEED = Buffer.from('\n');
const NOTHING = (): void => {};

/**
 * Must be done before the last byte of any answer leaves; where it gives false, the answer is cut instead. An answer is
 * recorded in the turn in which it is ended, so once is enough for all.
 */
let beforeLastByte: () => boolean = () => true;

export function runBeforeLastByte(run: () => boolean): void {
  beforeLastByte = run;
}

let corkedSink: UwsResponseSink | undefined;

/** One function for all corks: a closure per flush would be garbage per chunk. */
function flushCorked(): void {
  corkedSink?.writeCorked();
  corkedSink = undefined;
}
