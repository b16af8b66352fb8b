import { DatabaseAway, reasonOf, StoreFault, sqliteCode, systemCode } from './store-fault.ts';

/** What was thrown in one thread, for another: structured clones of errors lose their class and their codes. */
export interface Thrown {
  readonly kind: 'away' | 'fault' | 'other';
  readonly message: string;
  readonly code: string | undefined;
  readonly errcode: number | undefined;
  readonly stack: string | undefined;
}

export function thrownOf(error: unknown): Thrown {
  return {
    kind: error instanceof DatabaseAway ? 'away' : error instanceof StoreFault ? 'fault' : 'other',
    message: reasonOf(error),
    code: systemCode(error),
    errcode: sqliteCode(error),
    stack: error instanceof Error ? error.stack : undefined,
  };
}

export function errorOf({ kind, message, code, errcode, stack }: Thrown): Error {
  if (kind === 'away') return new DatabaseAway(message);
  if (kind === 'fault') return new StoreFault(message);
  const error = Object.assign(new Error(message), {
    ...(code !== undefined && { code }),
    ...(errcode !== undefined && { errcode }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}
