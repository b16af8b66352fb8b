import type { GuardKind } from './guard-schemas.ts';

/** Where guards are asked: of what goes to a model, comes from it, goes to a tool and comes from it. */
export const HOOKS = ['llm-input', 'llm-output', 'mcp-pre', 'mcp-post'] as const;
export type Hook = (typeof HOOKS)[number];

export type GuardStrategy = 'enforce' | 'enforce_but_ignore_on_error' | 'audit';

/** One guard of a group, as plain data. */
export interface GuardConfig {
  /** `<group>/<name>`: what rules and requests name. */
  readonly name: string;
  readonly kind: GuardKind;
  readonly operation: 'validate' | 'mutate';
  /** Among guards that mutate the lower priority goes first. */
  readonly priority: number;
  readonly strategy: GuardStrategy;
  readonly config: Readonly<Record<string, unknown>>;
  readonly auth?: Readonly<Record<string, unknown>>;
  /** Kinds that look at one side only name that side. */
  readonly target?: 'request' | 'response';
  /** Answers that are kept for what is asked again; absent: none is. */
  readonly remember?: { readonly ttlMs: number; readonly maxAnswers: number };
  /** Subjects that may name it in a request; absent: everybody. */
  readonly subjects?: readonly string[];
}

/** Whether a list of categories of personal data names this one. */
export function isWantedCategory(wanted: readonly string[], category: string): boolean {
  return wanted.includes('*') || wanted.includes('all') || wanted.includes(category);
}

/** How a guard that needs the whole answer treats a stream. */
export type OnStreams = 'hold' | 'window' | 'audit';

export interface GuardrailRule {
  readonly id: string;
  readonly when: GuardrailMatch;
  /** Names of guards by hook. */
  readonly guards: Readonly<Record<Hook, readonly string[]>>;
  /** May hold `{{guardrail_message}}`. */
  readonly errorMessage?: string;
  readonly onStreams: OnStreams;
}

/** All that is there must hold. */
export interface GuardrailMatch {
  readonly target?: GuardrailTarget;
  readonly subjects?: {
    readonly operator: 'and' | 'or';
    readonly in?: readonly string[];
    readonly notIn?: readonly string[];
  };
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One of them must hold. */
export interface GuardrailTarget {
  readonly models?: TargetSet<string>;
  readonly mcpServers?: TargetSet<string>;
  readonly mcpTools?: TargetSet<{
    readonly server: string /** Absent: all of them. */;
    readonly tools?: readonly string[];
  }>;
}

export interface TargetSet<T> {
  readonly condition: 'in' | 'not_in';
  readonly values: readonly T[];
}

export interface GuardrailSettings {
  readonly timeoutMs: number;
  /** Guards that only look run beside the call. */
  readonly parallel: boolean;
  /**
   * Streams that are judged in windows: how much each window has at the least, and how much of the one before it
   * again.
   */
  readonly windowCharacters?: number;
  readonly overlapCharacters?: number;
  /** From here on local guards read texts in other threads. */
  readonly offloadCharacters?: number;
}

export const DEFAULT_GUARDRAIL_SETTINGS: GuardrailSettings = { timeoutMs: 5_000, parallel: true };
