import { GatewayError } from '../core/errors.ts';
import type { GuardedStream as FormStream } from '../dialects/guarded-form.ts';
import { AnswerFilter, type FilterHost, type Shortened } from '../relay/answer-filter.ts';
import { type EventTaker, EventWords } from './event-words.ts';
import type { GuardQuestion, GuardSubject } from './guard.ts';
import { askAll, type OutputGuarding, tooMuchHeld } from './guarded-answer.ts';
import { bytesOf, type HeldEvent, isDecided } from './held-event.ts';
import { LocalTally } from './session.ts';
import { StreamWindows } from './stream-windows.ts';

/** What may wait behind a window that is asked about; beyond it the provider is paused. */
const MAX_AHEAD_BYTES = 65_536;
const EMPTY = Buffer.alloc(0);

type Done = (rest: Buffer | undefined) => void;

/**
 * A stream whose events leave once nothing in them can be part of something that is found later. Events keep their order,
 * and only their words are changed: ids, indices and usage stay as they are. Where a guard asks about the whole answer all
 * of it is held, up to `maxHeldBytes`.
 */
export class GuardedStream extends AnswerFilter implements EventTaker {
  readonly #o: OutputGuarding;
  readonly #words: EventWords;
  readonly #tally = new LocalTally();
  /** What was decided of every event before them; behind the first whatever came after it. */
  readonly #held: HeldEvent[] = [];
  #heldBytes = 0;
  readonly #holdsAll: boolean;
  /** Guards that read whole texts are asked about one window after the other, which leaves once it has passed. */
  readonly #windows: StreamWindows | undefined;
  /** Events at the beginning of those that are held whose words stand in a window. */
  #read = 0;
  #paused = false;
  /** Windows: called once the last one has passed. */
  #atEnd: Done | undefined;
  /** Guards that only record are told all of it at the end. */
  readonly #keepsTexts: boolean;
  readonly #out: Buffer[] = [];
  #committed = false;
  #contentType = '';
  #over = false;

  constructor(host: FilterHost, options: OutputGuarding, reader: FormStream) {
    super(host);
    this.#o = options;
    const { plan } = options;
    this.#keepsTexts = plan !== undefined && plan.mutators.length + plan.validators.length > 0;
    const acts = [...(plan?.mutators ?? []), ...(plan?.validators ?? [])].some(
      ({ guard }) => guard.config.strategy !== 'audit',
    );
    const isWindowed = acts && plan?.onStreams === 'window' && plan.mutators.length === 0;
    this.#windows = isWindowed ? new StreamWindows(options, plan) : undefined;
    this.#holdsAll = acts && plan?.onStreams !== 'audit' && !isWindowed;
    const keeps = !this.#keepsTexts ? 'nothing' : this.#holdsAll || isWindowed ? 'all' : 'beginning';
    this.#words = new EventWords({ guarding: options, reader, tally: this.#tally, keeps }, this);
  }

  override commit(contentType: string): void {
    this.#contentType = contentType;
  }

  override write(read: Buffer): void {
    if (this.#over) return;
    let bytes = read;
    if (this.#committed && this.passesAtOnce) {
      const skimmed = this.#words.skim(read);
      if (skimmed === read.length) {
        this.host.write(read);
        return;
      }
      if (skimmed > 0) {
        this.#out.push(read.subarray(0, skimmed));
        bytes = read.subarray(skimmed);
      }
    }
    // Skimming takes less than a look at the clock.
    const began = performance.now();
    this.#words.write(bytes);
    if (this.#over) return;
    this.#release();
    this.#tally.ms += performance.now() - began;
    const fault = tooMuchHeld(this.#o, this.#heldBytes + this.#words.unfinished);
    if (fault) this.fail(fault);
    else this.#flush();
    if (this.#windows) this.#pauseOrResume(this.#windows);
  }

  override finish(last?: Buffer): void {
    this.#end(last, (rest) => this.host.finish(rest));
  }

  override shorten(ending: Buffer, shortened: Shortened): void {
    this.#end(ending, (rest) => this.host.shorten(rest ?? EMPTY, shortened));
  }

  override fail(error: GatewayError): void {
    if (this.#over) return;
    this.#over = true;
    this.#held.length = 0;
    this.#out.length = 0;
    this.host.fail(error);
  }

  override close(): void {
    this.#over = true;
    this.#o.memory.release();
  }

  // ── events ────────────────────────────────────────────────────────────────

  get isOver(): boolean {
    return this.#over;
  }

  get passesAtOnce(): boolean {
    return this.#held.length === 0 && !this.#holdsAll && !this.#keepsTexts;
  }

  take(event: HeldEvent): void {
    this.#held.push(event);
    this.#heldBytes += event.bytes.length;
  }

  pass(bytes: Buffer): void {
    this.#out.push(bytes);
  }

  refuse(): void {
    const { plan, session } = this.#o;
    if (this.#over || plan === undefined) return;
    const error = session.noteLocal('llm-output', plan, { tally: this.#tally });
    if (error) this.fail(error);
  }

  // ── what may leave ────────────────────────────────────────────────────────

  #release(): void {
    if (this.#over || this.#holdsAll || this.#held.length === 0) return;
    if (this.#windows) {
      this.#window(this.#windows);
      return;
    }
    let count = 0;
    while (count < this.#held.length && isDecided(this.#held[count]!)) {
      this.#words.applyLocal(this.#held[count]!, this.#keepsTexts ? 'kept' : 'gone');
      count += 1;
    }
    if (count > 0) this.#leave(count);
  }

  #leave(count: number): void {
    const held = this.#held;
    for (let at = 0; at < count; at += 1) {
      this.#heldBytes -= held[at]!.bytes.length;
      this.#out.push(bytesOf(held[at]!, this.#o.framing));
    }
    if (count === held.length) held.length = 0;
    else held.splice(0, count);
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    if (!this.#committed) this.host.commit(this.#contentType);
    this.#committed = true;
    for (const out of this.#taken()) this.host.write(out);
  }

  /** What may leave, as it is handed on: a message stays one. */
  #taken(): readonly Buffer[] {
    const out = this.#out.splice(0);
    return this.#o.framing === 'message' || out.length < 2 ? out : [Buffer.concat(out)];
  }

  // ── windows ───────────────────────────────────────────────────────────────

  /** Asks about what is decided and was not asked about, where it is long enough; one question at a time. */
  #window(windows: StreamWindows): void {
    if (this.#over || windows.isAsking) return;
    while (this.#read < this.#held.length && isDecided(this.#held[this.#read]!)) {
      this.#words.applyLocal(this.#held[this.#read]!, 'kept');
      this.#read += 1;
    }
    const count = this.#read;
    const verdict = (refused: GatewayError | undefined): void => {
      if (this.#over) return;
      if (refused) {
        this.fail(refused);
        return;
      }
      this.#leaveRead(count);
      // The end takes along what is left.
      if (this.#atEnd === undefined) this.#flush();
      this.#window(windows);
      this.#pauseOrResume(windows);
    };
    const asked = windows.ask(this.#words.channels, this.#atEnd === undefined ? 'goes on' : 'at the end', verdict);
    if (asked === 'nothing') this.#leaveRead(count);
    if (asked === 'nothing' && this.#atEnd !== undefined) this.#deliver(this.#atEnd);
    else this.#pauseOrResume(windows);
  }

  #leaveRead(count: number): void {
    this.#leave(count);
    this.#read -= count;
  }

  /** A guard that is slower than its stream must not make it grow here. */
  #pauseOrResume(windows: StreamWindows): void {
    const isMuch = windows.isAsking && this.#heldBytes > MAX_AHEAD_BYTES;
    if (isMuch === this.#paused || this.#over) return;
    this.#paused = isMuch;
    if (isMuch) this.host.pause();
    else this.host.resume();
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #end(last: Buffer | undefined, done: Done): void {
    if (this.#over) return;
    this.#words.end(last);
    const { plan, session } = this.#o;
    // It has failed already where something is refused.
    if (this.#over) return;
    if (plan) session.noteLocal('llm-output', plan, { tally: this.#tally });
    if (!this.#keepsTexts) {
      this.#finish(done);
      return;
    }
    if (this.#windows) {
      this.#atEnd = done;
      this.#window(this.#windows);
      return;
    }
    if (this.#holdsAll) {
      this.#askAboutAll(done);
      return;
    }
    this.#release();
    session.recorded(askAll(session, plan!, 'llm-output', this.#allThatWasSaid()));
    this.#finish(done);
  }

  #askAboutAll(done: Done): void {
    const { plan, session } = this.#o;
    for (const event of this.#held) this.#words.applyLocal(event, 'kept');
    askAll(session, plan!, 'llm-output', this.#allThatWasSaid()).then(
      (refused) => {
        if (this.#over) return;
        if (refused) {
          this.fail(refused);
          return;
        }
        for (const event of this.#held) this.#words.applyWhole(event);
        this.#leave(this.#held.length);
        this.#deliver(done);
      },
      (cause) => this.fail(new GatewayError('internal_error', { cause })),
    );
  }

  #finish(done: Done): void {
    for (const event of this.#held) this.#words.applyLocal(event, 'gone');
    this.#leave(this.#held.length);
    this.#deliver(done);
  }

  #deliver(done: Done): void {
    const out = this.#taken();
    this.#over = true;
    this.host.commit(this.#contentType);
    for (const each of out.slice(0, -1)) this.host.write(each);
    done(out.at(-1));
  }

  /** Its texts as one answer: each of what is told in a choice of its own. */
  #allThatWasSaid(): GuardSubject {
    const { session, request } = this.#o;
    const { channels } = this.#words;
    return {
      question(): GuardQuestion {
        const texts = channels.map(({ said, instead, local }) => ({ text: instead ?? said, kind: local.kind }));
        const told = texts.filter(({ kind }) => kind === 'text').map(({ text }) => text);
        const contents = told.length > 0 ? told : [''];
        const choices = contents.map((content, index) => ({ index, message: { role: 'assistant', content } }));
        return { hook: 'llm-output', exchange: session.exchange, texts, request: request(), response: { choices } };
      },
      setTexts(texts) {
        for (const [at, channel] of channels.entries()) channel.instead = texts[at];
      },
    };
  }
}
