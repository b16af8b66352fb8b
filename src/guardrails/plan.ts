import {
  type GuardrailMatch,
  type GuardrailRule,
  HOOKS,
  type Hook,
  type OnStreams,
} from '../config/guardrails/guardrails.ts';
import type { Caller } from '../policy/caller.ts';
import { compilePatterns, type ModelMatcher } from '../policy/model-pattern.ts';
import { compileSubjects } from '../policy/subject-match.ts';
import type { Guard } from './guard.ts';
import { RecogniserSet } from './scan/token-scan.ts';

/** A guard that is asked because of a rule or of the request itself. */
export interface PlannedGuard {
  readonly guard: Guard;
  readonly errorMessage: string | undefined;
}

/** The guards of one hook. */
export interface HookPlan {
  /** Guards that judge by a few bytes, as one scan each: those that refuse, those that change, those that only record. */
  readonly refusing: RecogniserSet | undefined;
  readonly changing: RecogniserSet | undefined;
  readonly recording: RecogniserSet | undefined;
  /** All guards of those scans. */
  readonly local: readonly PlannedGuard[];
  /** Those that are asked about whole texts: first what changes, in order; then what only looks, together. */
  readonly mutators: readonly PlannedGuard[];
  readonly validators: readonly PlannedGuard[];
  readonly onStreams: OnStreams;
}

export interface GuardrailPlan {
  readonly ruleIds: readonly string[];
  readonly hooks: Readonly<Record<Hook, HookPlan | undefined>>;
}

/** What rules are held against. */
export interface Guarded {
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  readonly model?: { readonly id: string; readonly slug: string | undefined };
  /** `isJoint`: one of several servers answers, and any rule about servers may be about that one. */
  readonly tool?: { readonly server: string; readonly name: string; readonly isJoint: boolean };
}

interface CompiledRule {
  readonly rule: GuardrailRule;
  applies(guarded: Guarded): boolean;
}

const MAX_PLANS = 1_000;

/** The rules of one configuration. Plans are made once for each set of rules that apply together. */
export class GuardrailPlans {
  readonly guards: ReadonlyMap<string, Guard>;
  readonly #rules: readonly CompiledRule[];
  readonly #plans = new Map<string, GuardrailPlan>();

  constructor(rules: readonly GuardrailRule[], guards: ReadonlyMap<string, Guard>) {
    this.guards = guards;
    this.#rules = rules.map((rule) => ({ rule, applies: compileMatch(rule.when) }));
  }

  /** Undefined: nothing guards it. `asked`: names of guards that the request itself names, by hook. */
  of(guarded: Guarded, asked?: Readonly<Record<Hook, readonly string[]>>): GuardrailPlan | undefined {
    const matched: GuardrailRule[] = [];
    let key = '';
    for (const [index, { rule, applies }] of this.#rules.entries()) {
      if (!applies(guarded)) continue;
      matched.push(rule);
      key += `${index},`;
    }
    if (asked !== undefined) key += JSON.stringify(asked);
    if (key === '') return undefined;
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = this.#make(matched, asked);
      if (this.#plans.size >= MAX_PLANS) this.#plans.clear();
      this.#plans.set(key, plan);
    }
    return plan;
  }

  #make(rules: readonly GuardrailRule[], asked: Readonly<Record<Hook, readonly string[]>> | undefined): GuardrailPlan {
    const hook = (name: Hook): HookPlan | undefined => {
      const planned = new Map<string, PlannedGuard>();
      for (const { guards, errorMessage } of rules) {
        for (const each of guards[name]) this.#plan(each, errorMessage, planned);
      }
      for (const each of asked?.[name] ?? []) this.#plan(each, undefined, planned);
      return planned.size > 0 ? hookPlan([...planned.values()], strictest(rules, name)) : undefined;
    };
    const hooks = Object.fromEntries(HOOKS.map((name) => [name, hook(name)])) as Record<Hook, HookPlan | undefined>;
    return { ruleIds: rules.map(({ id }) => id), hooks };
  }

  #plan(name: string, errorMessage: string | undefined, into: Map<string, PlannedGuard>): void {
    const guard = this.guards.get(name);
    if (guard !== undefined && !into.has(name)) into.set(name, { guard, errorMessage });
  }
}

function strictest(rules: readonly GuardrailRule[], hook: Hook): OnStreams {
  const named = rules.filter(({ guards }) => guards[hook].length > 0).map(({ onStreams }) => onStreams);
  if (named.length === 0 || named.includes('hold')) return 'hold';
  return named.includes('window') ? 'window' : 'audit';
}

function hookPlan(planned: readonly PlannedGuard[], onStreams: OnStreams): HookPlan {
  const sorted = [...planned].sort((a, b) => a.guard.config.priority - b.guard.config.priority);
  const local = sorted.filter(({ guard }) => guard.recognisers !== undefined);
  const whole = sorted.filter(({ guard }) => guard.check !== undefined);
  const mutates = ({ guard: { config } }: PlannedGuard): boolean => config.operation === 'mutate';
  const audits = ({ guard: { config } }: PlannedGuard): boolean => config.strategy === 'audit';
  return {
    refusing: setOf(local.filter((each) => !audits(each) && !mutates(each))),
    changing: setOf(local.filter((each) => !audits(each) && mutates(each))),
    recording: setOf(local.filter(audits)),
    local,
    mutators: whole.filter(mutates),
    validators: whole.filter((each) => !mutates(each)),
    onStreams,
  };
}

function setOf(planned: readonly PlannedGuard[]): RecogniserSet | undefined {
  const recognisers = planned.flatMap(({ guard }) => guard.recognisers ?? []);
  return recognisers.length > 0 ? new RecogniserSet(recognisers) : undefined;
}

const ALWAYS = (): boolean => true;

function compileMatch({ target, subjects, metadata }: GuardrailMatch): (guarded: Guarded) => boolean {
  const byTarget = target === undefined ? ALWAYS : compileTarget(target);
  const bySubject = subjects === undefined ? ALWAYS : compileSubjectSet(subjects);
  const wanted = Object.entries(metadata ?? {});
  return (guarded) =>
    byTarget(guarded) &&
    bySubject(guarded) &&
    wanted.every(([key, value]) => Object.hasOwn(guarded.metadata, key) && guarded.metadata[key] === value);
}

function compileSubjectSet(set: NonNullable<GuardrailMatch['subjects']>): (guarded: Guarded) => boolean {
  const included = set.in === undefined ? undefined : compileSubjects(set.in);
  const excluded = set.notIn === undefined ? undefined : compileSubjects(set.notIn);
  return ({ caller: { subjects } }) => {
    const isIn = included?.(subjects);
    const isOut = excluded === undefined ? undefined : !excluded(subjects);
    if (isIn === undefined || isOut === undefined) return isIn ?? isOut ?? true;
    return set.operator === 'or' ? isIn || isOut : isIn && isOut;
  };
}

/** One of its conditions must hold. One about models holds of no tool, and the other way round. */
function compileTarget(target: NonNullable<GuardrailMatch['target']>): (guarded: Guarded) => boolean {
  const { models, mcpServers, mcpTools } = target;
  const model = models && compilePatterns(models.values);
  const server = mcpServers && compilePatterns(mcpServers.values);
  const tools = mcpTools?.values.map((each): { server: ModelMatcher; tool: ModelMatcher } => ({
    server: compilePatterns([each.server]),
    tool: each.tools === undefined ? ALWAYS : compilePatterns(each.tools),
  }));
  return ({ model: asked, tool }) => {
    if (asked !== undefined && model !== undefined && models !== undefined) {
      const named = model(asked.id) || (asked.slug !== undefined && model(asked.slug));
      if (named === (models.condition === 'in')) return true;
    }
    if (tool === undefined) return false;
    if (tool.isJoint && (server !== undefined || tools !== undefined)) return true;
    if (server !== undefined && mcpServers !== undefined && server(tool.server) === (mcpServers.condition === 'in'))
      return true;
    if (tools === undefined || mcpTools === undefined) return false;
    const named = tools.some((each) => each.server(tool.server) && each.tool(tool.name));
    return named === (mcpTools.condition === 'in');
  };
}
