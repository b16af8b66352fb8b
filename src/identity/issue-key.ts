import { hash, randomBytes } from 'node:crypto';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { type ApiKey, findKey, insertKey, newKeyId, replaceKey, stateOf } from '../store/api-keys.ts';
import type { Database } from '../store/database.ts';
import { mintToken } from '../store/key-token.ts';
import type { SigningKey } from '../store/signing-key.ts';
import { MAX_TOKEN_CHARACTERS } from '../store/token-form.ts';
import { type AccountRules, accountOf, expiryOf, type KeyWish } from './key-wish.ts';

/** What it takes to make keys. The signing key must have been published to the database. */
export interface KeyMint {
  readonly database: Database;
  readonly signingKey: SigningKey;
  readonly rules: AccountRules;
}

export interface IssuedKey {
  readonly key: ApiKey;
  /** Shown once and kept nowhere. */
  readonly token: string;
}

/** `now`: the moment that the wish's expiry was reckoned from. */
export async function issueKey(mint: KeyMint, wish: KeyWish, now: Date): Promise<OrError<IssuedKey>> {
  const issued = await makeKey(mint, wish, now);
  // First the row: a token that was shown can always be revoked, whatever happens in between.
  if (!(issued instanceof GatewayError)) await insertKey(mint.database, issued.key);
  return issued;
}

export interface RotatedKey extends IssuedKey {
  /** Until then the old one works. */
  readonly worksUntil: Date;
}

/** A new token for the same subject and claims, which lives as long as the old one was meant to. */
export async function rotateKey(mint: KeyMint, id: string, graceMs: number): Promise<OrError<RotatedKey>> {
  const old = await findKey(mint.database, id);
  if (old === undefined) return new GatewayError('not_found', { detail: `There is no key \`${id.slice(0, 100)}\`.` });
  const now = new Date();
  const state = stateOf(old, now);
  if (state !== 'active') return notActive(old, state);
  const lifetimeMs = old.expiresAt && old.expiresAt.getTime() - old.createdAt.getTime();
  const issued = await makeKey(
    mint,
    {
      subject: old.subject,
      name: old.name,
      teams: old.teams,
      models: old.models,
      metadata: old.metadata,
      expiresAt: lifetimeMs === undefined ? undefined : new Date(now.getTime() + lifetimeMs),
      tokenType: old.tokenType,
    },
    now,
  );
  if (issued instanceof GatewayError) return issued;
  const worksUntil = new Date(Math.min(now.getTime() + graceMs, old.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY));
  if (!(await replaceKey(mint.database, id, issued.key, worksUntil))) {
    return notActive((await findKey(mint.database, id)) ?? old, 'rotated');
  }
  return { ...issued, worksUntil };
}

function notActive(key: ApiKey, state: string): GatewayError {
  const instead = key.replacedBy === undefined ? '' : ` \`${key.replacedBy}\` took its place.`;
  return new GatewayError('conflict', { detail: `\`${key.id}\` is ${state}.${instead}` });
}

async function makeKey({ signingKey, rules }: KeyMint, wish: KeyWish, createdAt: Date): Promise<OrError<IssuedKey>> {
  const account = accountOf(wish.subject, rules);
  if (account?.expiresAtMs !== undefined && account.expiresAtMs <= createdAt.getTime()) {
    return new GatewayError('invalid_parameter', {
      param: 'subject',
      detail: `The virtual account \`${account.name}\` has expired: its keys are refused.`,
    });
  }
  const { subject, name, teams, models, metadata } = wish;
  const tokenType = wish.tokenType ?? account?.tokenType ?? 'jwt';
  const expiresAt = expiryOf(wish, createdAt, rules);
  const plain: ApiKey = { id: newKeyId(), name, subject, teams, models, metadata, createdAt, expiresAt, tokenType };
  if (tokenType === 'opaque') {
    const token = `sk-sluice-${randomBytes(32).toString('base64url')}`;
    return { key: { ...plain, tokenHash: hash('sha256', token, 'hex') }, token };
  }
  const token = await mintToken(plain, signingKey);
  if (token.length <= MAX_TOKEN_CHARACTERS) return { key: plain, token };
  return new GatewayError('invalid_parameter', {
    detail:
      `The key would be ${token.length} characters long; allowed are ${MAX_TOKEN_CHARACTERS}: ` +
      'name fewer models, teams or metadata, or make an opaque key.',
  });
}
