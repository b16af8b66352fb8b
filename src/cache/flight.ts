import type { Buffer } from 'node:buffer';
import type { GatewayError } from '../core/errors.ts';
import type { JoinedHeaders } from '../core/header-lines.ts';
import type { HeldMemory } from '../relay/held-memory.ts';
import type { SharedAnswer, SharedAnswerLeader } from '../relay/shared-answer.ts';
import type { AnswerAbout } from './cached-answer.ts';
import { hitHeaders } from './hit-headers.ts';
import { piecesUntil, Recording, slicePieces } from './recording.ts';

/** A request that gets an answer that is, or was, another one's. */
export interface FlightReader {
  /** There is more of it. */
  moved(): void;
  /** It failed, and would fail the same way for everybody. */
  failed(error: GatewayError): void;
  /** The request that asked for it gave up for reasons of its own. */
  orphaned(): void;
}

/** What readers read: an answer of the cache, or one that is on its way. */
export interface AnswerSource {
  /** Undefined: no content came yet. */
  readonly contentType: string | undefined;
  readonly isStream: boolean;
  readonly target: string;
  /** The id of the exchange that got, or is getting, this answer first. */
  readonly exchange: string;
  /** How many pieces there are now. */
  readonly pieces: number;
  readonly isWhole: boolean;
  /** What it cost; undefined: nobody knows. */
  readonly nanoUsd: number | undefined;
  /** Milliseconds since the Unix epoch; undefined: it is on its way. */
  readonly storedAt: number | undefined;
  /** The cosine similarity between its prompt and the present one; undefined: the requests are equal. */
  readonly similarity: number | undefined;
  /** The index behind the last piece that fits into so many bytes from `from` on, and came within so many milliseconds. */
  until(from: number, maxBytes: number, elapsedMs: number): number;
  slice(from: number, to: number): Buffer;
  /** See `hitHeaders`. */
  headersOf(target: string | undefined): JoinedHeaders;
  /** The reader wants nothing more. */
  leave(reader: FlightReader): void;
}

export interface FlightOptions {
  /** It is in no list of flights any more: the next request like it asks for itself. */
  readonly onOver: (flight: Flight) => void;
  readonly memory: HeldMemory;
  /** Beyond it an answer is not cached. */
  readonly maxEntryBytes: number;
  /** Beyond it those who joined cannot be served. */
  readonly maxBytes: number;
  readonly exchange: string;
}

/**
 * One attempt that several exchanges wait for. Its leader asks and pays; the others are replayed what came, from the
 * beginning. Each leaves alone: where the leader's client leaves, the attempt goes on for those who joined.
 */
export class Flight implements AnswerSource, SharedAnswer {
  leader: SharedAnswerLeader | undefined;
  contentType: string | undefined;
  isStream = false;
  target = '';
  isWhole = false;
  nanoUsd: number | undefined;
  readonly storedAt = undefined;
  readonly similarity = undefined;
  exchange: string;
  readonly #options: FlightOptions;
  readonly #readers = new Set<FlightReader>();
  readonly recording = new Recording();
  #outgrown = false;
  #over = false;

  constructor(options: FlightOptions) {
    this.#options = options;
    this.exchange = options.exchange;
  }

  headersOf(target: string | undefined): JoinedHeaders {
    return hitHeaders(this, target);
  }

  get pieces(): number {
    return this.recording.ends.length;
  }

  get isJoined(): boolean {
    return this.#readers.size > 0;
  }

  /** Nothing more comes of it. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Undefined: it cannot be cached. */
  get whole(): Recording | undefined {
    return this.isWhole && !this.#outgrown ? this.recording : undefined;
  }

  join(reader: FlightReader): void {
    this.#readers.add(reader);
    this.leader?.joined();
  }

  leave(reader: FlightReader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    if (this.#over) this.#options.memory.release();
    else this.leader?.unjoined();
  }

  until(from: number, maxBytes: number): number {
    return piecesUntil(this.recording, from, maxBytes, Number.POSITIVE_INFINITY);
  }

  slice(from: number, to: number): Buffer {
    return slicePieces(this.recording, from, to);
  }

  // ── what comes of it ──────────────────────────────────────────────────────

  begin(about: Pick<AnswerAbout, 'contentType' | 'stream' | 'target'>): void {
    this.contentType = about.contentType;
    this.isStream = about.stream;
    this.target = about.target;
    this.#tell((reader) => reader.moved());
  }

  add(piece: Buffer): void {
    if (this.#over || piece.length === 0) return;
    const { maxEntryBytes, maxBytes, memory } = this.#options;
    const needed = this.recording.length + piece.length;
    if (needed > maxEntryBytes && !this.#outgrown) this.#outgrow();
    if (this.#outgrown && !this.isJoined) return;
    if (needed > maxBytes || !memory.mayHold(needed)) {
      this.#outgrow();
      this.left();
      return;
    }
    this.recording.add(piece);
    this.#tell((reader) => reader.moved());
  }

  finish(nanoUsd: number | undefined): void {
    if (this.#over) return;
    this.isWhole = true;
    this.nanoUsd = nanoUsd;
    this.#end();
    this.#tell((reader) => reader.moved());
  }

  fail(error: GatewayError): void {
    if (this.#over) return;
    this.#end();
    this.#tell((reader) => reader.failed(error));
  }

  /** Its leader gives up for reasons of its own. */
  left(): void {
    if (this.#over) return;
    this.#end();
    this.#tell((reader) => reader.orphaned());
  }

  #outgrow(): void {
    this.#outgrown = true;
    this.#options.onOver(this);
  }

  #end(): void {
    this.#over = true;
    this.#options.onOver(this);
    if (!this.isJoined) this.#options.memory.release();
  }

  /** They may leave meanwhile. */
  #tell(what: (reader: FlightReader) => void): void {
    if (this.#readers.size > 0) for (const reader of [...this.#readers]) what(reader);
  }
}
