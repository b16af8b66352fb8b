import type { GatewayError } from '../core/errors.ts';
import type { LocalExchange } from '../core/local-exchange.ts';
import type { Log } from '../core/log.ts';
import { readBatchLine, usualBatchLine } from '../files/batch-lines.ts';
import { BlobFault } from '../files/blob-store.ts';
import type { AdvancedPieces, ClaimedPiece, PieceProgress } from '../store/batch-pieces.ts';
import { type LineResult, resultBlock } from '../store/result-block.ts';
import {
  type BatchCaller,
  type HeldBytes,
  isOver,
  isReady,
  type Line,
  type Piece,
  type PreparedLine,
  type ReadLine,
} from './held-piece.ts';
import { LinePaces } from './line-pace.ts';
import { resultLine, unansweredLine } from './line-result.ts';
import { retryOf } from './line-retry.ts';

/** Max pieces of which lines are sent at once. With several, other lines run while one waits to be retried. */
const MAX_PIECES = 3;
/** Max pieces that are leased at once, those included of which each line waits for a model that is too busy. */
const MAX_HELD_PIECES = 32;
/** How often waits are looked at and load is measured, while there is something to run. */
const TICK_MS = 100;
/** A lease is renewed at a third of its life. */
const RENEW_MS = 10_000;
/** Results of this span are kept in one transaction: one for each line would cost more than the line (load: batch-10k). */
const TOGETHER_MS = 25;
/** A database that did not answer is asked again after this span. */
const AWAY_MS = 1_000;
/** An event loop that is later than this keeps live traffic waiting. */
const LATE_MS = 25;
const MIN_SHARE = 1 / 16;

/** What the database's thread is asked; `away`: it did not answer in time. */
export interface BatchDesk {
  /** `claims`: one more piece is wanted. */
  advance(progresses: readonly PieceProgress[], claims: boolean): Promise<AdvancedPieces | 'away'>;
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
  /** Undefined: no endpoint has this path. */
  prepare(url: string, body: Buffer, caller: BatchCaller): PreparedLine | undefined;
}

/**
 * Runs lines of batches in a relay thread: claims pieces of them, sends their lines one after another, so many at once, and
 * hands their results to the database's thread. A line counts as under way until its result is kept: after a crash no more
 * than these are sent again.
 */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #paces = new LinePaces();
  readonly #open = new Set<LocalExchange>();
  #pieces: Piece[] = [];
  #underWay = 0;
  /** Results that are not on their way to the database yet. */
  #untold = 0;
  #isTelling = false;
  /** The next message is due when this is over; undefined: nothing waits to be told. */
  #telling: NodeJS.Timeout | undefined;
  /** Pieces whose lines are being read. */
  #taking = 0;
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
      }
      void this.#tell();
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
        if (this.#wantsPiece()) void this.#tell();
        break;
      }
      this.#send(found.piece, found.line, found.read);
    }
    this.#setTimer();
  }

  #allowed(): number {
    const most = this.#options.maxConcurrency();
    return most === 0 ? 0 : Math.max(1, Math.floor(most * this.#share));
  }

  #next(): { piece: Piece; line: Line; read: ReadLine } | undefined {
    const now = performance.now();
    for (const piece of this.#pieces) {
      const { waiting } = piece;
      for (let at = 0; at < waiting.length; at += 1) {
        const line = waiting[at]!;
        if (line.notBefore > now) continue;
        line.read ??= this.#read(line, piece);
        if (!line.read.pace.isOpen(now)) continue;
        waiting.splice(at, 1);
        return { piece, line, read: line.read };
      }
    }
    return undefined;
  }

  #read({ bytes, number }: Line, { caller, claimed }: Piece): ReadLine {
    const { principalJson } = claimed.batch;
    const usual = usualBatchLine(bytes);
    const quick = usual && this.#options.prepare(usual.url, usual.body, caller);
    if (usual !== undefined && quick?.isUnderstood) {
      return { customId: usual.customId, pace: this.#paces.of(principalJson, quick.model), prepared: quick };
    }
    const read = readBatchLine(bytes);
    if (typeof read === 'string') {
      const prepared = { code: 'invalid_line', message: `Of this line ${read}.` };
      return { customId: `line ${number + 1}`, pace: this.#paces.of(principalJson, ''), prepared };
    }
    const { customId, url, body } = read;
    const prepared = this.#options.prepare(url, body, caller) ?? {
      code: 'path_not_found',
      message: `No endpoint for batches has the path ${url}.`,
    };
    return { customId, pace: this.#paces.of(principalJson, 'model' in prepared ? prepared.model : ''), prepared };
  }

  /** Whether there is room for one more: so many lines wait as may run, or a model that is too busy keeps them waiting. */
  #wantsPiece(): boolean {
    if (!this.#isWork || this.#isStopping || this.#pieces.length + this.#taking >= MAX_HELD_PIECES) return false;
    const now = performance.now();
    let ready = 0;
    let active = this.#taking;
    for (const { waiting, running } of this.#pieces) {
      const isHeld = waiting.length > 0 && running === 0 && !waiting.some((line) => isReady(line, now));
      if (isHeld) continue;
      active += 1;
      ready += waiting.length;
    }
    return active < MAX_PIECES && ready < this.#allowed();
  }

  async #take(claimed: ClaimedPiece): Promise<void> {
    const { batch, fromByte, toByte, firstLine, doneLines } = claimed;
    const caller = this.#options.callerOf(batch.principalJson);
    const memory = this.#options.memory();
    const piece: Piece = {
      claimed,
      caller,
      memory,
      waiting: [],
      running: 0,
      results: [],
      toldAt: performance.now(),
      isLeft: false,
    };
    this.#taking += 1;
    try {
      if (!memory.mayHold(toByte - fromByte)) throw new BlobFault('There is no memory for its lines.', undefined);
      const done = new Set(doneLines);
      const lines = await this.#options.read(batch.inputFileId, fromByte, toByte);
      piece.waiting = lines
        .map((bytes, index): Line => {
          return { number: firstLine + index, bytes, read: undefined, tries: 0, counted: 0, notBefore: 0 };
        })
        .filter(({ number }) => !done.has(number));
    } catch (error) {
      // This thread claims nothing before it is woken again, in a second: the store may be back then.
      this.#isWork = false;
      piece.isLeft = true;
      const { log } = this.#options;
      if (error instanceof BlobFault) log.warn({ batch: batch.id, error }, 'the input of a batch cannot be read');
      else log.error({ batch: batch.id, error }, 'the input of a batch cannot be read');
    }
    this.#taking -= 1;
    if (this.#isStopping) {
      piece.waiting = [];
      piece.isLeft = true;
    }
    // The piece is listed once its lines are read: without lines it would count as over.
    this.#pieces.push(piece);
    if (piece.waiting.length === 0) void this.#tell();
    this.#fill();
  }

  #send(piece: Piece, line: Line, { customId, pace, prepared }: ReadLine): void {
    this.#underWay += 1;
    piece.running += 1;
    pace.running += 1;
    line.tries += 1;
    const left = (): void => {
      this.#options.leave();
      piece.running -= 1;
      pace.running -= 1;
    };
    const keep = (failed: boolean, result: Buffer): void => {
      left();
      piece.results.push({ line: line.number, failed, result });
      this.#untold += 1;
      this.#tellSoon();
    };
    const fault = 'code' in prepared ? prepared : this.#options.refusal(piece.caller);
    if (fault) {
      keep(true, unansweredLine(customId, fault.code, fault.message));
      return;
    }
    // A line without a fault was understood.
    const { send } = prepared as PreparedLine;
    const exchange = send(`${piece.claimed.batch.id}:${line.number + 1}`, (answer) => {
      this.#open.delete(exchange);
      const retry = retryOf(answer, line.tries, line.counted, this.#options.maxAttempts());
      if (retry === undefined) {
        const failed = answer.error !== undefined || answer.status >= 400;
        if (!failed) pace.succeeded();
        keep(failed, resultLine(customId, exchange.id, answer));
        return;
      }
      const { delayMs, isTold, counts } = retry;
      if (counts) line.counted += 1;
      pace.failed({ delayMs, isTold, isPressed: !counts });
      line.notBefore = performance.now() + delayMs;
      left();
      this.#underWay -= 1;
      if (!piece.isLeft) piece.waiting.push(line);
      else this.#tellSoon();
      this.#fill();
    });
    this.#open.add(exchange);
  }

  /** Tells at once where every line under way has its result: nothing else can begin before. */
  #tellSoon(): void {
    if (this.#untold >= this.#underWay) void this.#tell();
    else this.#telling ??= setTimeout(() => void this.#tell(), TOGETHER_MS);
  }

  /** One message at a time, about all pieces: what comes meanwhile goes with the next. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const now = performance.now();
    const told = this.#pieces.filter(
      (piece) => piece.results.length > 0 || isOver(piece) || now - piece.toldAt > RENEW_MS,
    );
    const claims = this.#wantsPiece();
    if (told.length === 0 && !claims) return;
    this.#isTelling = true;
    this.#untold = 0;
    const sent = told.map((piece) => {
      const results = piece.results.splice(0);
      return { piece, results, isOver: isOver(piece) };
    });
    const progresses = sent.map(({ piece: { claimed, isLeft }, results, isOver: over }): PieceProgress => {
      const state = !over ? 'runs' : isLeft ? 'left' : 'done';
      const block = results.length === 0 ? undefined : resultBlock(results);
      return { batchId: claimed.batch.id, piece: claimed.piece, results: block, state };
    });
    let advanced: AdvancedPieces | 'away' = 'away';
    try {
      advanced = await this.#options.desk.advance(progresses, claims);
    } catch (error) {
      this.#options.log.error({ error }, 'results of batches could not be kept');
    }
    const heardAt = performance.now();
    for (const { piece } of sent) piece.toldAt = heardAt;
    if (advanced === 'away') {
      this.#away(sent);
      return;
    }
    for (const [index, { piece, results, isOver: over }] of sent.entries()) {
      this.#underWay -= results.length;
      if (!advanced.goOn[index] && !piece.isLeft) {
        piece.waiting = [];
        piece.isLeft = true;
      }
      if (over) this.#drop(piece);
    }
    this.#isTelling = false;
    if (claims && advanced.claimed === undefined) this.#isWork = false;
    if (advanced.claimed !== undefined) void this.#take(advanced.claimed);
    this.#fill();
    if (this.#untold > 0 || this.#pieces.some(isOver)) this.#tellSoon();
    this.#checkStopped();
  }

  /** The lines stay under way, so that no line begins whose result could not be kept. */
  #away(sent: readonly { piece: Piece; results: LineResult[]; isOver: boolean }[]): void {
    for (const { piece, results, isOver: over } of sent) {
      piece.results.unshift(...results);
      if (!this.#isStopping) continue;
      this.#underWay -= piece.results.splice(0).length;
      if (over) this.#drop(piece);
    }
    setTimeout(() => {
      this.#isTelling = false;
      void this.#tell();
    }, AWAY_MS).unref();
  }

  #drop(piece: Piece): void {
    this.#pieces = this.#pieces.filter((each) => each !== piece);
    piece.memory.release();
    this.#checkStopped();
  }

  #checkStopped(): void {
    if (this.#isStopping && this.#pieces.length === 0 && this.#taking === 0 && !this.#isTelling) this.#onStopped?.();
  }

  /** The timer runs while there is something to run. */
  #setTimer(): void {
    const isNeeded = this.#pieces.length > 0 || this.#taking > 0 || this.#isTelling || this.#isWork;
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
    void this.#tell();
    this.#fill();
    this.#checkStopped();
  }
}
