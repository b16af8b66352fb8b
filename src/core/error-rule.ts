export type Stage = 'edge' | 'dialect' | 'policy' | 'routing' | 'provider' | 'upstream' | 'relay' | 'gateway';
export type Blame = 'client' | 'policy' | 'upstream' | 'gateway';
export type Retry = 'never' | 'same-target' | 'next-target';

export interface ErrorRule {
  readonly status: number;
  readonly stage: Stage;
  readonly blame: Blame;
  readonly retry: Retry;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** OpenAI's error `type`; SDKs choose their class by status, people read this. */
  readonly type: string;
  /** Default message; an error's own detail is put behind it. */
  readonly message: string;
  /** What the reader can do. */
  readonly remedy: string;
}

/** What OpenAI calls a request that is at fault itself. */
export const invalid = 'invalid_request_error';

export function rule(
  status: number,
  stage: Stage,
  blame: Blame,
  retry: Retry,
  level: ErrorRule['level'],
  type: string,
  message: string,
  remedy: string,
): ErrorRule {
  return { status, stage, blame, retry, level, type, message, remedy };
}
