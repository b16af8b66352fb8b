import type { GuardConfig } from '../../config/guardrails/guardrails.ts';

/** Names the credential of a guard where those of accounts are named: in logs, metrics and sessions of roles. */
export function guardAccount({ name }: GuardConfig): string {
  return name.replaceAll('/', '.');
}
