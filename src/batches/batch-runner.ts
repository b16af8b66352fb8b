import type { GatewayError } from '../core/errors.ts';
import type { Principal } from '../core/exchange.ts';
import type { LocalExchange } from '../core/local-exchange.ts';
import type { Log } from '../core/log.ts';
import { readBatchLine } from '../files/batch-lines.ts';
import { BlobFault } from '../files/blob-store.ts';
import type { ClaimedPiece, LineResult, PieceProgress } from '../store/batches.ts';
import type { CollectedAnswer } from './collected-answer.ts';
import { answeredLine, unansweredLine } from './line-result.ts';
import { retryOf } from './line-retry.ts';

/** Max pieces that are leased at once. With several, other lines run while one waits to be retried. */
const MAX_PIECES = 3;
/** How often waits are looked at and load is measured, while there is something to run. */
const TICK_MS = 100;
/** A third of a lease. */
const RENEW_MS = 10_000;
/** Results of so long go together: a transaction for each line would cost more than the line (load: batch-10k). */
const TOGETHER_MS = 10;
/** After the database did not answer. */
const AWAY_MS = 1_000;
/** A turn of the loop that comes so much late keeps live traffic waiting. */
const LATE_MS = 25;
const MIN_SHARE = 1 / 16;

/** What the database's thread is asked; `away`: it did not answer in time. */
export interface BatchDesk {
  claim(): Promise<ClaimedPiece | 'none' | 'away'>;
  /** False: nothing more of the piece is to be run. */
  advance(progress: PieceProgress): Promise<boolean | 'away'>;
}

/** For whom the lines of a batch are run, as it was kept with the batch. */
export interface BatchCaller {
  readonly principal: Principal;
  /** The `x-tfy-metadata` header of the request that created the batch; each line is run with it. */
  readonly metadata: string | undefined;
}

/** One line on its way. */
export interface LineRequest {
  readonly url: string;
  readonly body: Buffer;
  readonly caller: BatchCaller;
  readonly label: string;
  onOver(answer: CollectedAnswer): void;
}

export interface BatchRunnerOptions {
  readonly desk: BatchDesk;
  readonly log: Log;
  /** Lines of this thread that may be under way at once; 0: it runs none. */
  maxConcurrency(): number;
  /** How often a line is sent at the most, where it fails for a reason that may pass. */
  maxAttempts(): number;
  /** Exchanges of clients that are open in this thread. */
  live(): number;
  /** Whether one more exchange may be open; then it is given back with `leave`. */
  enter(): boolean;
  leave(): void;
  /** Counts what is held of the input. */
  memory(): HeldBytes;
  /** [from, to) of the lines of a file. Throws a BlobFault. */
  read(fileId: string, from: number, to: number): Promise<readonly Buffer[]>;
  callerOf(json: string): BatchCaller;
  /** Why nothing is run for it any more. */
  refusal(caller: BatchCaller): GatewayError | undefined;
  /** Undefined: no endpoint has this path. The exchange has begun. */
  run(request: LineRequest): LocalExchange | undefined;
}

export interface HeldBytes {
  /** False: there is no room for so many now. */
  mayHold(bytes: number): boolean;
  release(): void;
}

interface Line {
  /** In the input, from 0. */
  readonly number: number;
  readonly bytes: Buffer;
  tries: number;
  counted: number;
  /** performance.now() before which it is not sent. */
  notBefore: number;
}

interface Piece {
  readonly claimed: ClaimedPiece;
  readonly caller: BatchCaller;
  readonly pace: Pace;
  readonly memory: HeldBytes;
  waiting: Line[];
  running: number;
  results: LineResult[];
  /** Its results are on their way to the database. */
  isTelling: boolean;
  /** They will be soon. */
  isDue: boolean;
  toldAt: number;
  /** Nothing more of it is to be run. */
  isLeft: boolean;
}

/** How many lines of one batch its provider takes at once, as far as it says so by refusing some. */
class Pace {
  running = 0;
  pausedUntil = 0;
  #window = Number.POSITIVE_INFINITY;

  get isOpen(): boolean {
    return this.running < this.#window && performance.now() >= this.pausedUntil;
  }

  succeeded(): void {
    this.#window += 1 / this.#window;
  }

  /** `isPressed`: because of too many. */
  failed(delayMs: number, isTold: boolean, isPressed: boolean): void {
    if (isTold) this.pausedUntil = Math.max(this.pausedUntil, performance.now() + delayMs);
    if (isPressed) this.#window = Math.max(1, Math.min(this.#window, this.running + 1) / 2);
  }
}

/**
 * Runs lines of batches in a relay thread: claims pieces of them, sends their lines one after another, so many at once, and
 * hands their results to the database's thread. A line counts as under way until its result is kept: after a crash no more
 * than these are sent again.
 */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #paces = new Map<string, Pace>();
  readonly #open = new Set<LocalExchange>();
  #pieces: Piece[] = [];
  #underWay = 0;
  #isClaiming = false;
  /** There may be a piece to claim. */
  #isWork = false;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  /** The share of `maxConcurrency` that may run now, 0 to 1. It falls while the event loop is late. */
  #share = 1;
  #isStopping = false;
  #onStopped: (() => void) | undefined;

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
  }

  /** There are pieces that nobody runs. */
  wake(): void {
    if (this.#isStopping) return;
    this.#isWork = true;
    this.#fill();
  }

  /** Begins no further line; resolves when those under way have ended and their results are kept. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#isWork = false;
    return new Promise((resolve) => {
      this.#onStopped = resolve;
      for (const piece of this.#pieces) {
        piece.waiting = [];
        piece.isLeft = true;
        this.#tell(piece);
      }
      this.#checkStopped();
    });
  }

  /** Aborts the lines in flight. They have no result, so another gateway or the next start sends them again. */
  cut(): void {
    for (const exchange of this.#open) exchange.abort('drain');
  }

  #fill(): void {
    while (!this.#isStopping && this.#underWay < this.#allowed()) {
      if (!this.#options.enter()) break;
      const found = this.#next();
      if (found === undefined) {
        this.#options.leave();
        void this.#claim();
        break;
      }
      this.#send(found.piece, found.line);
    }
    this.#setTimer();
  }

  #allowed(): number {
    const most = this.#options.maxConcurrency();
    return most === 0 ? 0 : Math.max(1, Math.floor(most * this.#share));
  }

  #next(): { piece: Piece; line: Line } | undefined {
    const now = performance.now();
    for (const piece of this.#pieces) {
      if (!piece.pace.isOpen) continue;
      const at = piece.waiting.findIndex(({ notBefore }) => notBefore <= now);
      if (at < 0) continue;
      const [line] = piece.waiting.splice(at, 1);
      if (line) return { piece, line };
    }
    return undefined;
  }

  async #claim(): Promise<void> {
    if (this.#isClaiming || !this.#isWork || this.#pieces.length >= MAX_PIECES) return;
    this.#isClaiming = true;
    try {
      const claimed = await this.#options.desk.claim();
      if (claimed === 'none') this.#isWork = false;
      else if (claimed !== 'away') await this.#take(claimed);
    } catch (error) {
      this.#options.log.error({ error }, 'a piece of a batch could not be begun');
    }
    this.#isClaiming = false;
    this.#fill();
  }

  async #take(claimed: ClaimedPiece): Promise<void> {
    const { batch, fromByte, toByte, firstLine, doneLines } = claimed;
    const pace = this.#paces.get(batch.id) ?? new Pace();
    this.#paces.set(batch.id, pace);
    const caller = this.#options.callerOf(batch.principalJson);
    const memory = this.#options.memory();
    const piece: Piece = {
      claimed,
      caller,
      pace,
      memory,
      waiting: [],
      running: 0,
      results: [],
      isTelling: false,
      isDue: false,
      toldAt: performance.now(),
      isLeft: false,
    };
    try {
      if (!memory.mayHold(toByte - fromByte)) throw new BlobFault('There is no memory for its lines.', undefined);
      const done = new Set(doneLines);
      const bytes = await this.#options.read(batch.inputFileId, fromByte, toByte);
      piece.waiting = bytes
        .map((each, index): Line => ({ number: firstLine + index, bytes: each, tries: 0, counted: 0, notBefore: 0 }))
        .filter(({ number }) => !done.has(number));
    } catch (error) {
      // Until this thread is woken again, in a second: the store may be back then.
      this.#isWork = false;
      piece.isLeft = true;
      const { log } = this.#options;
      if (error instanceof BlobFault) log.warn({ batch: batch.id, error }, 'the input of a batch cannot be read');
      else log.error({ batch: batch.id, error }, 'the input of a batch cannot be read');
    }
    if (this.#isStopping) {
      piece.waiting = [];
      piece.isLeft = true;
    }
    // Not before its lines are there: without any it would be over.
    this.#pieces.push(piece);
    if (piece.waiting.length === 0) this.#tell(piece);
  }

  #send(piece: Piece, line: Line): void {
    this.#underWay += 1;
    piece.running += 1;
    piece.pace.running += 1;
    line.tries += 1;
    const read = readBatchLine(line.bytes);
    const customId = typeof read === 'string' ? `line ${line.number + 1}` : read.customId;
    const keep = (failed: boolean, result: string): void => {
      piece.results.push({ line: line.number, failed, result });
      this.#sent(piece);
    };
    if (typeof read === 'string') {
      keep(true, unansweredLine(customId, 'invalid_line', `Of this line ${read}.`));
      return;
    }
    const refused = this.#options.refusal(piece.caller);
    if (refused) {
      keep(true, unansweredLine(customId, refused.code, refused.message));
      return;
    }
    const { batch } = piece.claimed;
    const exchange = this.#options.run({
      url: read.url,
      body: read.body,
      caller: piece.caller,
      label: `${batch.id}:${line.number + 1}`,
      onOver: (answer) => {
        if (exchange) this.#open.delete(exchange);
        const retry = retryOf(answer, line.tries, line.counted, this.#options.maxAttempts());
        if (retry === undefined) {
          const failed = answer.error !== undefined || answer.status >= 400;
          if (!failed) piece.pace.succeeded();
          keep(failed, resultOf(customId, exchange?.id ?? '', answer));
          return;
        }
        if (retry.counts) line.counted += 1;
        const { pace } = piece;
        pace.failed(retry.delayMs, retry.isTold, !retry.counts);
        line.notBefore = performance.now() + retry.delayMs;
        if (!piece.isLeft) piece.waiting.push(line);
        this.#underWay -= 1;
        this.#sent(piece);
      },
    });
    if (exchange) this.#open.add(exchange);
    else keep(true, unansweredLine(customId, 'path_not_found', `No endpoint for batches has the path ${read.url}.`));
  }

  /** The line is with its provider no more. */
  #sent(piece: Piece): void {
    this.#options.leave();
    piece.running -= 1;
    piece.pace.running -= 1;
    if (!piece.isDue) {
      piece.isDue = true;
      setTimeout(() => {
        piece.isDue = false;
        void this.#tell(piece);
      }, TOGETHER_MS);
    }
    this.#fill();
  }

  /** One message at a time for each piece: what comes meanwhile goes with the next. */
  async #tell(piece: Piece): Promise<void> {
    // A piece that is no longer listed was reported as over: another thread may hold its lease by now.
    if (piece.isTelling || !this.#pieces.includes(piece)) return;
    const isOver = piece.waiting.length === 0 && piece.running === 0;
    const isDue = performance.now() - piece.toldAt > RENEW_MS;
    if (piece.results.length === 0 && !isOver && !isDue) return;
    piece.isTelling = true;
    const results = piece.results.splice(0);
    const { batch, piece: number } = piece.claimed;
    const state = !isOver ? 'runs' : piece.isLeft ? 'left' : 'done';
    let goOn: boolean | 'away' = 'away';
    try {
      goOn = await this.#options.desk.advance({ batchId: batch.id, piece: number, results, state });
    } catch (error) {
      this.#options.log.error({ batch: batch.id, error }, 'results of a batch could not be kept');
    }
    piece.toldAt = performance.now();
    if (goOn === 'away') {
      // Their lines stay under way: nothing is begun whose result could not be kept.
      piece.results.unshift(...results);
      if (this.#isStopping) this.#underWay -= piece.results.splice(0).length;
      setTimeout(() => {
        piece.isTelling = false;
        if (this.#isStopping && isOver) this.#drop(piece);
        else void this.#tell(piece);
      }, AWAY_MS).unref();
      if (this.#isStopping && isOver) this.#drop(piece);
      return;
    }
    piece.isTelling = false;
    this.#underWay -= results.length;
    if (!goOn && !piece.isLeft) {
      piece.waiting = [];
      piece.isLeft = true;
    }
    if (isOver) this.#drop(piece);
    else void this.#tell(piece);
    this.#fill();
  }

  #drop(piece: Piece): void {
    if (!this.#pieces.includes(piece)) return;
    this.#pieces = this.#pieces.filter((each) => each !== piece);
    piece.memory.release();
    const { id } = piece.claimed.batch;
    if (!this.#pieces.some(({ claimed }) => claimed.batch.id === id)) this.#paces.delete(id);
    this.#checkStopped();
  }

  #checkStopped(): void {
    if (this.#isStopping && this.#pieces.length === 0 && !this.#isClaiming) this.#onStopped?.();
  }

  /** Runs while there is something to run. */
  #setTimer(): void {
    const isNeeded = this.#pieces.length > 0 || this.#isClaiming || this.#isWork;
    if (!isNeeded) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#share = 1;
    } else if (this.#timer === undefined) {
      this.#tickedAt = performance.now();
      this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    }
  }

  #tick(): void {
    const now = performance.now();
    const lateMs = now - this.#tickedAt - TICK_MS;
    this.#tickedAt = now;
    const isInTheWay = lateMs > LATE_MS && this.#options.live() > 0;
    this.#share = isInTheWay ? Math.max(MIN_SHARE, this.#share / 2) : Math.min(1, this.#share + MIN_SHARE);
    for (const piece of this.#pieces) void this.#tell(piece);
    this.#fill();
    this.#checkStopped();
  }
}

function resultOf(customId: string, requestId: string, answer: CollectedAnswer): string {
  // An answer that broke off is none; a refusal has its body as any answer.
  const isWhole = answer.status > 0 && (answer.error === undefined || answer.status >= 400);
  if (isWhole) return answeredLine(customId, requestId, answer);
  const { error } = answer;
  return unansweredLine(customId, error?.code ?? 'internal_error', error?.message ?? 'It was not answered.');
}
