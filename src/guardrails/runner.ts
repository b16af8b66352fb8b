import type { GuardrailSettings } from '../config/guardrails/guardrails.ts';
import { type Elsewhere, OFFLOAD_CHARACTERS } from './elsewhere.ts';
import type { Guard, GuardQuestion, Verdict } from './guard.ts';
import type { GuardRunner } from './session.ts';

/** After so many errors in a row a guard is not asked for a while: each would cost its whole timeout. */
const MAX_ERRORS = 5;
const OUT_MS = 10_000;

interface Health {
  errors: number;
  /** performance.now() until when it is not asked. */
  outUntil: number;
}

/** Asks guards within their deadline, and leaves alone for a while those that fail again and again. */
export class DeadlineRunner implements GuardRunner {
  /** Forgotten with the guard, so that a new configuration begins anew. */
  readonly #health = new WeakMap<Guard, Health>();
  readonly #elsewhere: Elsewhere | undefined;

  /** `elsewhere`: other threads, for local guards on long texts; absent: all is done here. */
  constructor(elsewhere?: Elsewhere) {
    this.#elsewhere = elsewhere;
  }

  run(
    guard: Guard,
    question: GuardQuestion,
    settings: GuardrailSettings,
    abandoned: AbortSignal,
  ): Verdict | Promise<Verdict> {
    if (guard.isLocal) return this.#local(guard, question, settings) ?? guard.check!(question, abandoned);
    const health = this.#healthOf(guard);
    const { name } = guard.config;
    if (performance.now() < health.outUntil)
      return { result: 'error', message: `${name} failed repeatedly and is not asked for now.` };
    return this.#asked(guard, question, settings, abandoned).then((verdict) => {
      if (verdict.result === 'error' && !abandoned.aborted) {
        health.errors += 1;
        if (health.errors >= MAX_ERRORS) health.outUntil = performance.now() + OUT_MS;
      } else health.errors = 0;
      return verdict;
    });
  }

  /** Undefined: it is done here. */
  #local(
    { config, checkTexts }: Guard,
    { texts }: GuardQuestion,
    { offloadCharacters: most = OFFLOAD_CHARACTERS }: GuardrailSettings,
  ): Promise<Verdict> | undefined {
    if (this.#elsewhere === undefined || checkTexts === undefined) return undefined;
    if (texts.reduce((sum, { text }) => sum + text.length, 0) < most) return undefined;
    return this.#elsewhere
      .check({ config, texts })
      .then((answer) =>
        typeof answer === 'string' ? { result: 'error', message: `${config.name}: ${answer}.` } : answer,
      );
  }

  #healthOf(guard: Guard): Health {
    let health = this.#health.get(guard);
    if (health === undefined) {
      health = { errors: 0, outUntil: 0 };
      this.#health.set(guard, health);
    }
    return health;
  }

  async #asked(
    guard: Guard,
    question: GuardQuestion,
    { timeoutMs }: GuardrailSettings,
    abandoned: AbortSignal,
  ): Promise<Verdict> {
    const { name } = guard.config;
    const { promise: late, resolve } = Promise.withResolvers<Verdict>();
    const over = new AbortController();
    const timer = setTimeout(() => {
      over.abort();
      resolve({ result: 'error', message: `${name} did not answer within ${timeoutMs} ms.` });
    }, timeoutMs);
    try {
      return await Promise.race([late, guard.check!(question, AbortSignal.any([abandoned, over.signal]))]);
    } catch (cause) {
      return {
        result: 'error',
        message: `${name} failed: ${cause instanceof Error ? cause.message : 'no reason is known'}.`,
      };
    } finally {
      clearTimeout(timer);
    }
  }
}
