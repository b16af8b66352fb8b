import type { GatewayError } from '../core/errors.ts';
import type { AnswerFilter, FilterHost } from '../relay/answer-filter.ts';

/** Where the messages of a lane go. */
export interface LaneEnd {
  deliver(message: Buffer, isBinary: boolean): void;
  /** Guards refuse it, or cannot hold as much as they have to. Nothing of it is delivered any more. */
  refused(error: GatewayError): void;
  /** All of it is delivered. Where guards are asked about the whole of it, that is later than its last message. */
  over(): void;
  /** More waits for guards than may, until `resume`. */
  pause(): void;
  resume(): void;
}

/** Messages of a provider that guards read together: an answer, or a transcript. They leave in the order they came in. */
export class GuardedLane implements FilterHost {
  readonly #to: LaneEnd;
  readonly #filter: AnswerFilter;
  /** Kinds of the messages inside, in their order. */
  readonly #binary: boolean[] = [];
  #isOver = false;
  #isPaused = false;

  constructor(to: LaneEnd, filter: (host: FilterHost) => AnswerFilter) {
    this.#to = to;
    this.#filter = filter(this);
    this.#filter.commit('');
  }

  take(message: Buffer, isBinary: boolean): void {
    this.#binary.push(isBinary);
    this.#filter.write(message);
  }

  /** Nothing follows. */
  end(): void {
    if (!this.#isOver) this.#filter.finish();
  }

  /** Whatever it holds reaches nobody. */
  abandon(): void {
    this.#isOver = true;
    this.#binary.length = 0;
    this.#filter.close();
    if (this.#isPaused) this.resume();
  }

  // ── what the filter does ──────────────────────────────────────────────────

  write(message: Buffer): void {
    if (!this.#isOver) this.#to.deliver(message, this.#binary.shift() ?? false);
  }

  finish(last?: Buffer): void {
    if (this.#isOver) return;
    if (last !== undefined) this.write(last);
    this.abandon();
    this.#to.over();
  }

  fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.abandon();
    this.#to.refused(error);
  }

  pause(): void {
    this.#isPaused = true;
    this.#to.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#to.resume();
  }

  commit(): void {}

  content(): void {}

  shorten(ending: Buffer): void {
    this.finish(ending);
  }
}
