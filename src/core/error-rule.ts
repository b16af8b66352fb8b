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

type Given<Defaults extends keyof ErrorRule> = Omit<ErrorRule, 'blame' | Defaults> & Partial<Pick<ErrorRule, Defaults>>;

/** The request is at fault: sent again it fails again, here and at any other target. */
export function clientFault(given: Given<'retry' | 'level' | 'type'>): ErrorRule {
  return { blame: 'client', retry: 'never', level: 'info', type: 'invalid_request_error', ...given };
}

/** The operator's rules are against it. */
export function policyRefusal(given: Given<'stage' | 'retry' | 'level'>): ErrorRule {
  return { blame: 'policy', stage: 'policy', retry: 'never', level: 'info', ...given };
}

/** The gateway, or what it runs on, cannot serve it now. */
export function gatewayFault(given: Given<'status' | 'retry' | 'level' | 'type'>): ErrorRule {
  return { blame: 'gateway', status: 503, retry: 'never', level: 'warn', type: 'server_error', ...given };
}

/** The provider failed: another target may answer. */
export function providerFault(given: Given<'retry' | 'level' | 'type'>): ErrorRule {
  return { blame: 'upstream', retry: 'next-target', level: 'warn', type: 'upstream_error', ...given };
}
