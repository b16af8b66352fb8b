import type { AnswerForm } from '../dialects/answer-form.ts';
import { AnswerFilter, type AnswerFilterMaker, type FilterHost, type Shortened } from './answer-filter.ts';

/** How long the end of an answer waits until the answer is kept: a client may go on from it at once. */
const KEEP_MS = 1_000;
const EMPTY = Buffer.alloc(0);

/** An answer that came whole, in its form. */
export interface WholeAnswer {
  readonly body: Buffer;
  /** `account/model` that answered. */
  readonly target: string;
  /** The provider spoke another form, and does not know this answer. */
  readonly translated: boolean;
}

/** Hands each answer that is whole to `keep`, and its end to the client when that has resolved. */
export function keptAnswer(maxBytes: number, keep: (answer: WholeAnswer) => Promise<void>): AnswerFilterMaker {
  return (host, { isStream, dialect, answer }) =>
    new KeptAnswer(host, isStream, maxBytes, dialect.answers, (body) =>
      keep({ body, target: answer.model, translated: answer.repeats !== undefined }),
    );
}

class KeptAnswer extends AnswerFilter {
  readonly #isStream: boolean;
  readonly #maxBytes: number;
  readonly #form: AnswerForm;
  readonly #keep: (body: Buffer) => Promise<void>;
  /** The pieces of an answer that is no stream, up to `#maxBytes`. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The callback for when the answer is kept; undefined: nothing waits. */
  #release: (() => void) | undefined;
  #until = 0;

  constructor(
    host: FilterHost,
    isStream: boolean,
    maxBytes: number,
    form: AnswerForm,
    keep: (body: Buffer) => Promise<void>,
  ) {
    super(host);
    this.#isStream = isStream;
    this.#maxBytes = maxBytes;
    this.#form = form;
    this.#keep = keep;
  }

  override write(bytes: Buffer): void {
    if (!this.#isStream) this.#collect(bytes);
    this.host.write(bytes);
  }

  override finish(last?: Buffer): void {
    if (!this.#isStream && last) this.#collect(last);
    this.#end(last, () => this.host.finish(last));
  }

  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#end(ending, () => this.host.shorten(ending, shortened));
  }

  override sweep(now: number): void {
    if (this.#release && now > this.#until) this.#go();
  }

  override close(): void {
    this.#release = undefined;
  }

  #collect(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= this.#maxBytes) this.#pieces.push(bytes);
    else this.#pieces = [];
  }

  /** The last event of a stream holds all of the answer. */
  #end(last: Buffer | undefined, release: () => void): void {
    const whole = this.#isStream ? this.#form.toWhole?.(last ?? EMPTY) : Buffer.concat(this.#pieces);
    if (!Buffer.isBuffer(whole) || whole.length === 0 || whole.length > this.#maxBytes) {
      release();
      return;
    }
    this.#release = release;
    this.#until = performance.now() + KEEP_MS;
    const go = (): void => this.#go();
    this.#keep(whole).then(go, go);
  }

  #go(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}
