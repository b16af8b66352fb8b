import type { GuardConfig } from '../config/guardrails/guardrails.ts';
import type { TextKind } from '../dialects/guarded-form.ts';
import type { Task } from '../offload/tasks.ts';
import type { Verdict } from './guard.ts';
import type { Found } from './scan/token-scan.ts';

/*
 * Local guards on texts that would keep an event loop too long: what is looked for, and what was found, as plain data that
 * crosses threads. What takes the place of a find stays the exchange's own matter.
 */

/**
 * Unless the settings say otherwise. So much takes an event loop about 1.3 ms for secrets and 6 ms for all personal data
 * besides (`bench guardrails/scan`). The copies take a hundredth of that, but a thread that has to start first some tenths
 * of a second.
 */
export const OFFLOAD_CHARACTERS = 131_072;

export interface ScannedText {
  readonly text: string;
  readonly kind: TextKind;
}

export interface ScanJob {
  /** Guards whose recognisers are looked for together, in order. */
  readonly sets: readonly (readonly GuardConfig[])[];
  readonly texts: readonly ScannedText[];
}

/** As `Found`; `recogniser`: its place in the set. */
export interface PlainFound extends Pick<Found, 'start' | 'end' | 'text' | 'standsAs'> {
  readonly recogniser: number;
}

/** By set, then by text. */
export type ScanAnswer = readonly (readonly (readonly PlainFound[])[])[];

export interface CheckJob {
  readonly config: GuardConfig;
  readonly texts: readonly ScannedText[];
}

export const scanTextsTask: Task<ScanJob, ScanAnswer> = { name: 'scan-texts' };
export const checkTextsTask: Task<CheckJob, Verdict> = { name: 'check-texts' };

/** The other threads, as guards ask for them. */
export interface Elsewhere {
  /** Words for people: why it is not done. */
  scan(job: ScanJob): Promise<ScanAnswer | string>;
  check(job: CheckJob): Promise<Verdict | string>;
}
