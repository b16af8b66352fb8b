import type { GuardConfig, GuardrailSettings, Hook } from '../config/guardrails/guardrails.ts';
import type { GatewayError } from '../core/errors.ts';
import type { TextKind } from '../dialects/guarded-form.ts';
import { blocked, type Objection } from './block.ts';
import type { Elsewhere } from './elsewhere.ts';
import {
  type Guard,
  type GuardedExchange,
  type GuardQuestion,
  type GuardSubject,
  type Mutation,
  PASSED,
  type Verdict,
} from './guard.ts';
import type { GuardrailPlan, HookPlan, PlannedGuard } from './plan.ts';
import { PseudonymBook } from './pseudonyms.ts';
import { newScan } from './scan/json-text-scan.ts';
import type { Found, RecogniserSet, TextScan } from './scan/token-scan.ts';

/** What one guard came to at one hook, as it is recorded. */
export interface GuardResult {
  readonly guardrail: string;
  readonly hook: Hook;
  readonly operation: GuardConfig['operation'];
  readonly strategy: GuardConfig['strategy'];
  readonly result: 'passed' | 'failed' | 'mutated' | 'error';
  readonly ms: number;
  /** What was found or went wrong, in words; never what was read. */
  readonly detail?: string;
}

/** How whole texts are asked about, with the deadline of all guards. */
export interface GuardRunner {
  run(
    guard: Guard,
    question: GuardQuestion,
    settings: GuardrailSettings,
    abandoned: AbortSignal,
  ): Verdict | Promise<Verdict>;
}

export interface SessionOptions {
  readonly plan: GuardrailPlan;
  readonly exchange: GuardedExchange;
  readonly settings: GuardrailSettings;
  readonly runner: GuardRunner;
  /** Other threads, for long texts; absent: all is done here. */
  readonly elsewhere?: Elsewhere | undefined;
  /** Values of the turns before, which may be spoken of again; absent: there were none. */
  readonly pseudonyms?: PseudonymBook | undefined;
}

/** The guards of one exchange: what they found so far, and what has to be put back. */
export class GuardSession {
  readonly plan: GuardrailPlan;
  readonly exchange: GuardedExchange;
  readonly settings: GuardrailSettings;
  readonly results: GuardResult[] = [];
  readonly pseudonyms: PseudonymBook;
  readonly elsewhere: Elsewhere | undefined;
  readonly #runner: GuardRunner;
  /** Made where somebody is asked. */
  #abandoned: AbortController | undefined;
  /** Guards that only record, and have not answered. */
  #recording = 0;
  #settled: (() => void) | undefined;
  readonly #closing: (() => void)[] = [];

  constructor({ plan, exchange, settings, runner, elsewhere, pseudonyms }: SessionOptions) {
    this.plan = plan;
    this.exchange = exchange;
    this.settings = settings;
    this.#runner = runner;
    this.elsewhere = elsewhere;
    this.pseudonyms = pseudonyms ?? new PseudonymBook();
  }

  hook(name: Hook): HookPlan | undefined {
    return this.plan.hooks[name];
  }

  /** What the record says of the guards; undefined: no guard was asked. */
  get json(): string | undefined {
    return this.results.length > 0 ? JSON.stringify(this.results) : undefined;
  }

  /** As `json`, for a record of its own: what comes later is told in another one. */
  takeJson(): string | undefined {
    const { json } = this;
    this.results.length = 0;
    return json;
  }

  /** Nobody waits for guards any more. */
  close(): void {
    this.#abandoned?.abort();
    for (const call of this.#closing.splice(0)) call();
  }

  /** Calls back when what is held as long as it is guarded may go. */
  whenClosed(call: () => void): void {
    this.#closing.push(call);
  }

  /** Calls back when all that only record have answered: at once where none is asked. Their deadline bounds it. */
  whenRecorded(done: () => void): void {
    if (this.#recording === 0) done();
    else this.#settled = done;
  }

  /** The record waits for this, and nobody else does. It must not reject. */
  recorded(work: Promise<unknown>): void {
    this.#recording += 1;
    void work.then(() => {
      this.#recording -= 1;
      if (this.#recording === 0) this.#settled?.();
    });
  }

  // ── guards that judge by a few bytes ──────────────────────────────────────

  scanOf(set: RecogniserSet, kind: TextKind): TextScan {
    return newScan(set, kind);
  }

  findAll(set: RecogniserSet, kind: TextKind, text: string): readonly Found[] {
    const scan = this.scanOf(set, kind);
    scan.push(text);
    scan.end();
    return scan.take();
  }

  /** What stands in the place of a find. */
  replacementOf({ recogniser, text }: Found): string {
    const guard = recogniser.owner as Guard | undefined;
    return guard?.pseudonyms ? this.pseudonyms.placeholder(recogniser.name, text) : recogniser.replacement;
  }

  /** Records what each local guard of a hook came to, once, and says who refuses. `fault`: none of them could judge. */
  noteLocal(
    hook: Hook,
    plan: HookPlan,
    { tally, fault }: { readonly tally: LocalTally; readonly fault?: string | undefined },
  ): GatewayError | undefined {
    const objections: Objection[] = [];
    for (const planned of plan.local) {
      const { config } = planned.guard;
      const judged: Judged = fault === undefined ? foundBy(planned.guard, tally) : { result: 'error', message: fault };
      this.#note(hook, config, judged.result, tally.ms, judged.message);
      const objection = config.strategy === 'audit' ? undefined : objectionOf(planned, judged);
      if (objection) objections.push(objection);
    }
    return objections.length > 0 ? blocked(hook, objections) : undefined;
  }

  // ── guards that are asked about whole texts ───────────────────────────────

  /** One after another; why the exchange is refused, if it is. */
  async mutate(
    hook: Hook,
    mutators: readonly PlannedGuard[],
    subject: GuardSubject,
  ): Promise<GatewayError | undefined> {
    for (const planned of mutators) {
      if (planned.guard.config.strategy === 'audit') {
        this.#record(hook, planned, subject.question());
        continue;
      }
      const verdict = followed(await this.#ask(hook, planned, subject.question()), subject);
      const objection = objectionOf(planned, verdict);
      if (objection !== undefined) return blocked(hook, [objection]);
      if (verdict.result === 'mutated') change(subject, verdict);
    }
    return undefined;
  }

  /** All together. Those that only record are not waited for. */
  async validate(
    hook: Hook,
    validators: readonly PlannedGuard[],
    question: GuardQuestion,
  ): Promise<GatewayError | undefined> {
    const asked: Promise<Objection | undefined>[] = [];
    for (const planned of validators) {
      if (planned.guard.config.strategy === 'audit') this.#record(hook, planned, question);
      else asked.push(this.#ask(hook, planned, question).then((verdict) => objectionOf(planned, verdict)));
    }
    const objections = (await Promise.all(asked)).filter((each) => each !== undefined);
    return objections.length > 0 ? blocked(hook, objections) : undefined;
  }

  #record(hook: Hook, planned: PlannedGuard, question: GuardQuestion): void {
    this.recorded(this.#ask(hook, planned, question));
  }

  /** Never rejects. */
  async #ask(hook: Hook, { guard }: PlannedGuard, question: GuardQuestion): Promise<Verdict> {
    const began = performance.now();
    this.#abandoned ??= new AbortController();
    let verdict: Verdict;
    try {
      verdict = looksAt(guard.config, hook)
        ? await this.#runner.run(
            guard,
            { ...question, pseudonyms: this.pseudonyms },
            this.settings,
            this.#abandoned.signal,
          )
        : PASSED;
    } catch (cause) {
      verdict = { result: 'error', message: cause instanceof Error ? cause.message : 'it failed' };
    }
    const detail = 'message' in verdict ? verdict.message : undefined;
    this.#note(hook, guard.config, verdict.result, performance.now() - began, detail);
    return verdict;
  }

  #note(hook: Hook, config: GuardConfig, result: GuardResult['result'], ms: number, detail: string | undefined): void {
    if (this.results.length >= MAX_RESULTS) return;
    const { name: guardrail, operation, strategy } = config;
    const said = detail === undefined || detail === '' ? undefined : detail.slice(0, MAX_DETAIL);
    this.results.push({
      guardrail,
      hook,
      operation,
      strategy,
      result,
      ms: Math.round(ms * 100) / 100,
      ...(said !== undefined && { detail: said }),
    });
  }
}

/** A stream that is judged by sentences asks a guard often. */
const MAX_RESULTS = 64;
const MAX_DETAIL = 200;

/** Kinds that are about one side only say nothing of the other. */
function looksAt({ target }: GuardConfig, hook: Hook): boolean {
  const side = hook === 'llm-input' || hook === 'mcp-pre' ? 'request' : 'response';
  return target === undefined || target === side;
}

interface Judged {
  readonly result: GuardResult['result'];
  readonly message?: string;
}

/** What the recognisers of a guard came to. */
function foundBy(guard: Guard, tally: LocalTally): Judged {
  const { config } = guard;
  const names = tally.namesOf(guard);
  if (names.length === 0) return { result: 'passed' };
  const mutates = config.operation === 'mutate' && config.strategy !== 'audit';
  return { result: mutates ? 'mutated' : 'failed', message: `Found: ${names.join(', ')}.` };
}

function objectionOf({ guard: { config }, errorMessage }: PlannedGuard, verdict: Judged): Objection | undefined {
  const { result } = verdict;
  if (result === 'passed' || result === 'mutated') return undefined;
  if (result === 'error' && config.strategy !== 'enforce') return undefined;
  return { guardrail: config.name, result, message: verdict.message ?? '', errorMessage };
}

/** Nothing but texts can be changed of what came in a stream: what a guard takes out beside them must not pass. */
function followed(verdict: Verdict, subject: GuardSubject): Verdict {
  if (verdict.result !== 'mutated' || verdict.replaced === undefined || subject.replace) return verdict;
  return { result: 'failed', message: 'It changed more than texts, and that cannot be done here.' };
}

function change(subject: GuardSubject, { texts, replaced }: Mutation): void {
  if (replaced === undefined) subject.setTexts(texts);
  else subject.replace?.(replaced);
}

/** What the local guards of one hook found, by name, and how long they took. */
export class LocalTally {
  ms = 0;
  readonly #names = new Map<object, Set<string>>();

  add(found: readonly Found[]): void {
    for (const { recogniser } of found) {
      const { owner } = recogniser;
      if (owner === undefined) continue;
      const names = this.#names.get(owner) ?? new Set();
      names.add(recogniser.name);
      this.#names.set(owner, names);
    }
  }

  namesOf(guard: Guard): readonly string[] {
    return [...(this.#names.get(guard) ?? [])];
  }
}
