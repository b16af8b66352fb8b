/** RFC 9110 §11.2: a parameter of the `www-authenticate` of an answer, quoted or a token. Undefined: it has none. */
export function challengeParameter(challenge: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"([^"]{0,2048})"|([^\\s,"]{1,2048}))`, 'i').exec(challenge);
  return found?.[1] ?? found?.[2];
}

/** RFC 6750 §3: the scopes that a token lacks; undefined: that is not what it says. */
export function lackingScopes(challenge: string): readonly string[] | undefined {
  if (challengeParameter(challenge, 'error') !== 'insufficient_scope') return undefined;
  return scopesIn(challenge);
}

export function scopesIn(challenge: string): readonly string[] | undefined {
  const scopes = challengeParameter(challenge, 'scope')?.split(' ').filter(Boolean);
  return scopes && scopes.length > 0 && scopes.length <= MAX_SCOPES ? scopes : undefined;
}

const MAX_SCOPES = 64;
