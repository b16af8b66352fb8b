import type { JsonObject } from '../codec/json-value.ts';
import type { Configuration } from '../config/configuration.ts';
import { type GuardrailSettings, HOOKS } from '../config/guardrails/guardrails.ts';
import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { GuardedStream as FormStream, GuardedForm } from '../dialects/guarded-form.ts';
import type { Caller } from '../policy/caller.ts';
import { type AskedGuardrails, unknownGuardrail } from '../policy/client-settings.ts';
import { compileSubjects } from '../policy/subject-match.ts';
import type { AnswerFilter, AnswerFilterMaker, FilterHost } from '../relay/answer-filter.ts';
import { HeldMemory, type SharedMemory } from '../relay/held-memory.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { GuardedExchange } from './guard.ts';
import { GuardedAnswer } from './guarded-answer.ts';
import { GuardedStream } from './guarded-stream.ts';
import { type GuardMeans, makeGuards } from './make-guards.ts';
import { type Guarded, GuardrailPlans } from './plan.ts';
import type { GuardRunner } from './session.ts';
import { GuardSession } from './session.ts';

/** The guards and rules of one configuration. */
export interface Guardrails {
  /** Undefined: nothing guards this. `before`: the guards of the turn before, in a session of many. */
  open(
    guarded: Guarded,
    exchange: GuardedExchange,
    asked?: AskedGuardrails,
    before?: GuardSession,
  ): OrError<GuardSession | undefined>;
}

export function createGuardrails(
  {
    guards: configs,
    guardrailRules,
    guardrailSettings,
  }: Pick<Configuration, 'guards' | 'guardrailRules' | 'guardrailSettings'>,
  runner: GuardRunner,
  means: GuardMeans & { readonly elsewhere?: Elsewhere | undefined },
): Guardrails {
  const guards = makeGuards(configs, means);
  const plans = new GuardrailPlans(guardrailRules, guards);
  return {
    open(guarded, exchange, asked, before) {
      if (asked !== undefined) {
        const refused = refusedNames(asked, guarded.caller, guards);
        if (refused) return refused;
      }
      const plan = plans.of(guarded, asked?.guards);
      if (plan === undefined) return undefined;
      const settings: GuardrailSettings =
        asked?.parallel === undefined ? guardrailSettings : { ...guardrailSettings, parallel: asked.parallel };
      const { elsewhere } = means;
      return new GuardSession({ plan, exchange, settings, runner, elsewhere, pseudonyms: before?.pseudonyms });
    },
  };
}

function refusedNames(
  asked: AskedGuardrails,
  { subjects }: Caller,
  guards: GuardrailPlans['guards'],
): GatewayError | undefined {
  for (const name of HOOKS.flatMap((hook) => asked.guards[hook])) {
    const allowed = guards.get(name)?.config;
    const isTheirs = allowed && (allowed.subjects === undefined || compileSubjects(allowed.subjects)(subjects));
    if (!isTheirs) return unknownGuardrail(name);
  }
  return undefined;
}

export interface OutputOptions {
  readonly session: GuardSession;
  readonly form: GuardedForm;
  readonly request: () => JsonObject;
  readonly sharedMemory: SharedMemory;
  readonly maxBodyMemoryBytes: number;
  readonly maxHeldBytes: number;
}

/** Undefined: nothing is to be read in answers. */
export function outputGuard(options: OutputOptions): AnswerFilterMaker | undefined {
  const { session, form, request, sharedMemory, maxBodyMemoryBytes, maxHeldBytes } = options;
  const plan = session.hook('llm-output');
  if (form.answer === undefined || (plan === undefined && session.pseudonyms.isEmpty)) return undefined;
  return (host, { contentType, isStream }) => {
    const memory = new HeldMemory(sharedMemory, maxBodyMemoryBytes);
    const guarding = { session, plan, form, request, memory, maxHeldBytes, framing: 'sse' as const };
    if (!isStream) return form.isPlain || contentType.includes('json') ? new GuardedAnswer(host, guarding) : undefined;
    const reader = form.stream?.();
    return reader && new GuardedStream(host, guarding, reader);
  };
}

/** The same of messages of a session, each of which is written as one. */
export function messageGuard(
  { session, form, request, sharedMemory, maxBodyMemoryBytes, maxHeldBytes }: OutputOptions,
  reader: FormStream,
  host: FilterHost,
): AnswerFilter {
  const plan = session.hook('llm-output');
  const memory = new HeldMemory(sharedMemory, maxBodyMemoryBytes);
  const framing = 'message';
  return new GuardedStream(host, { session, plan, form, request, memory, maxHeldBytes, framing }, reader);
}
