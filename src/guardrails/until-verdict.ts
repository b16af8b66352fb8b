import { AnswerFilter, type AnswerFilterMaker, type FilterHost, type Shortened } from '../relay/answer-filter.ts';

/** What of an answer may wait for the guards of its request; beyond it the provider is paused. */
const MAX_WAITING_BYTES = 65_536;

/** The verdict of guards that run beside the call of the model. */
export class PendingVerdict {
  #passed = false;
  #waiting: (() => void)[] = [];

  get passed(): boolean {
    return this.#passed;
  }

  /** A refusal ends the exchange elsewhere. */
  pass(): void {
    this.#passed = true;
    for (const call of this.#waiting.splice(0)) call();
  }

  whenPassed(call: () => void): void {
    this.#waiting.push(call);
  }
}

/** Holds the beginning of an answer until the guards of its request have passed it. */
export function untilVerdict(verdict: PendingVerdict): AnswerFilterMaker {
  return (host) => (verdict.passed ? undefined : new UntilVerdict(host, verdict));
}

class UntilVerdict extends AnswerFilter {
  readonly #verdict: PendingVerdict;
  #calls: (() => void)[] = [];
  #bytes = 0;
  #paused = false;
  #over = false;

  constructor(host: FilterHost, verdict: PendingVerdict) {
    super(host);
    this.#verdict = verdict;
    verdict.whenPassed(() => this.#go());
  }

  override commit(contentType: string): void {
    this.#orLater(() => super.commit(contentType));
  }

  override write(bytes: Buffer): void {
    this.#bytes += bytes.length;
    this.#orLater(() => super.write(bytes));
    if (this.#verdict.passed || this.#paused || this.#bytes <= MAX_WAITING_BYTES) return;
    this.#paused = true;
    this.host.pause();
  }

  override finish(last?: Buffer): void {
    this.#orLater(() => super.finish(last));
  }

  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#orLater(() => super.shorten(ending, shortened));
  }

  override close(): void {
    this.#over = true;
    this.#calls = [];
  }

  #orLater(call: () => void): void {
    if (this.#verdict.passed) call();
    else this.#calls.push(call);
  }

  #go(): void {
    const calls = this.#calls;
    this.#calls = [];
    for (const call of calls) if (!this.#over) call();
    if (this.#paused) this.host.resume();
  }
}
