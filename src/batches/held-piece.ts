import type { Principal } from '../core/exchange.ts';
import type { LocalExchange } from '../core/local-exchange.ts';
import type { ClaimedPiece } from '../store/batch-pieces.ts';
import type { LineResult } from '../store/result-block.ts';
import type { CollectedAnswer } from './collected-answer.ts';
import type { LinePace } from './line-pace.ts';

/** The caller for whom the lines of a batch are run, as it was kept with the batch. */
export interface BatchCaller {
  readonly principal: Principal;
  /** The `x-tfy-metadata` header of the request that created the batch; each line is run with it. */
  readonly metadata: string | undefined;
}

/** A line; it may be sent several times. */
export interface PreparedLine {
  /** As the line names it; empty: it names none. */
  readonly model: string;
  /** Its body is one JSON object that the endpoint reads. */
  readonly isUnderstood: boolean;
  /** The exchange has begun. */
  send(label: string, onOver: (answer: CollectedAnswer) => void): LocalExchange;
}

/** Counts bytes of the input that are in memory. */
export interface HeldBytes {
  /** False: there is no room for so many now. */
  mayHold(bytes: number): boolean;
  release(): void;
}

/** A line that has no result yet. */
export interface Line {
  /** In the input, from 0. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Read when it is first looked at. */
  read: ReadLine | undefined;
  tries: number;
  /** Those of its failures that count against `max_attempts`. */
  counted: number;
  /** performance.now() before which it is not sent. */
  notBefore: number;
}

export interface ReadLine {
  readonly customId: string;
  readonly pace: LinePace;
  /** A fault: why it cannot be sent. */
  readonly prepared: PreparedLine | { readonly code: string; readonly message: string };
}

/** A piece that this thread holds by a lease. */
export interface Piece {
  readonly claimed: ClaimedPiece;
  readonly caller: BatchCaller;
  readonly memory: HeldBytes;
  waiting: Line[];
  running: number;
  results: LineResult[];
  /** performance.now() when the database last heard of it. */
  toldAt: number;
  /** Nothing more of it is to be run. */
  isLeft: boolean;
}

export function isOver({ waiting, running }: Piece): boolean {
  return waiting.length === 0 && running === 0;
}

export function isReady({ notBefore, read }: Line, now: number): boolean {
  return notBefore <= now && (read?.pace.isOpen(now) ?? true);
}
