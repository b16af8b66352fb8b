import type { Mount, Target } from '../providers/provider.ts';

/** One place that a request may be passed on to. */
export interface ProxyStep {
  readonly target: Target;
  readonly mount: Mount;
  /** From the root, with its query. */
  readonly path: string;
  /** Answers after which the next place is asked. */
  readonly fallbackStatuses: ReadonlySet<number>;
}
