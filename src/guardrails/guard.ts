import type { JsonObject } from '../codec/json-value.ts';
import type { GuardConfig, Hook } from '../config/guardrails/guardrails.ts';
import type { TextKind } from '../dialects/guarded-form.ts';
import type { Caller } from '../policy/caller.ts';
import type { PseudonymBook } from './pseudonyms.ts';
import type { Recogniser } from './scan/recogniser.ts';

/** One text that a guard reads. */
export interface GuardText {
  readonly text: string;
  readonly kind: TextKind;
  /** The role of the message in a request, such as `user`. */
  readonly role?: string | undefined;
}

/** The facts of the exchange that is guarded. */
export interface GuardedExchange {
  readonly id: string;
  readonly caller: Caller;
  readonly metadata: Readonly<Record<string, string>>;
  /** Canonical id of the model, or `mcp:<server>/<tool>`. */
  readonly model: string;
  /** The API form of the client. */
  readonly form: string;
}

/** What a guard is asked. */
export interface GuardQuestion {
  readonly hook: Hook;
  readonly exchange: GuardedExchange;
  readonly texts: readonly GuardText[];
  /** The request as it goes to the model or tool, parsed. */
  readonly request: JsonObject;
  /** At the output hooks: the answer, parsed; of a stream its texts as one answer. */
  readonly response?: JsonObject | undefined;
  /** Where values that a guard takes out get placeholders that are put back. */
  readonly pseudonyms?: PseudonymBook;
}

export interface Mutation {
  readonly result: 'mutated';
  /** As many texts as were asked about, in their order. */
  readonly texts: readonly string[];
  /** Parts of the body that are more than the same with other texts, by their keys; they have their texts with them. */
  readonly replaced?: JsonObject | undefined;
}

export type Verdict =
  | { readonly result: 'passed' }
  | { readonly result: 'failed'; readonly message: string }
  | Mutation
  /** It could not say: what follows is for its strategy. */
  | { readonly result: 'error'; readonly message: string };

/** What guards change, one after another: each is asked about what the one before left. */
export interface GuardSubject {
  question(): GuardQuestion;
  /** As many as there are, in their order. */
  setTexts(texts: readonly string[]): void;
  /** Absent: nothing but texts can be changed in it. */
  replace?(parts: JsonObject): void;
}

export const PASSED: Verdict = { result: 'passed' };

/**
 * One configured guard. It has recognisers, where a few bytes are enough to judge by, or is asked about whole texts.
 */
export interface Guard {
  readonly config: GuardConfig;
  readonly recognisers?: readonly Recogniser[];
  /** What takes the place of each value is the exchange's, and put back in its answer. */
  readonly pseudonyms?: true;
  /** It asks nobody: it answers before a model is called, not beside the call. */
  readonly isLocal?: true;
  /** Checks nothing but texts, which a local guard may read in another thread. */
  checkTexts?(texts: readonly Pick<GuardText, 'text'>[]): Verdict;
  /** `signal` fires when nobody waits any more. */
  check?(question: GuardQuestion, signal: AbortSignal): Verdict | Promise<Verdict>;
}
