import type { Identities, VirtualAccountIdentity } from '../config/identities/identities.ts';
import type { TokenType } from '../store/api-keys.ts';

/** What a key shall be; its fields were checked. */
export interface KeyWish {
  readonly subject: string;
  readonly name: string | undefined;
  readonly teams: readonly string[];
  /** Undefined: all. */
  readonly models: readonly string[] | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Undefined: as its account says, else never. */
  readonly expiresAt: Date | undefined;
  /** Undefined: as its account says, else `jwt`. */
  readonly tokenType: TokenType | undefined;
}

/** The parts of a configuration that say how keys of an account are to be. */
export type AccountRules = Pick<Identities, 'virtualAccounts'>;

export const NO_ACCOUNT_RULES: AccountRules = { virtualAccounts: [] };

const PREFIX = 'virtualaccount:';

export function accountOf(subject: string, rules: AccountRules): VirtualAccountIdentity | undefined {
  if (!subject.startsWith(PREFIX)) return undefined;
  const name = subject.slice(PREFIX.length);
  return rules.virtualAccounts.find((account) => account.name === name);
}

/**
 * When a key ends of which nobody said so: one of an account that rotates its keys lives for one interval and the grace
 * in which its successor is put in place. Sluice does not know where a key is kept, so it cannot put the new one there.
 */
export function expiryOf(wish: KeyWish, createdAt: Date, rules: AccountRules): Date | undefined {
  const rotation = accountOf(wish.subject, rules)?.autoRotate;
  if (wish.expiresAt !== undefined || rotation === undefined) return wish.expiresAt;
  return new Date(createdAt.getTime() + rotation.intervalMs + rotation.graceMs);
}

/** Whether a key is older than its account lets keys become. */
export function isDue(key: { subject: string; createdAt: Date }, now: Date, rules: AccountRules): boolean {
  const rotation = accountOf(key.subject, rules)?.autoRotate;
  return rotation !== undefined && key.createdAt.getTime() + rotation.intervalMs <= now.getTime();
}
