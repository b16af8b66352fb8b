import type { ConfiguredKey } from '../config/packed-keys.ts';
import type { Principal } from '../core/exchange.ts';
import { compilePatterns } from '../policy/model-pattern.ts';
import type { AccessTokenClaims, ClientSecretClaims } from '../store/token-claims.ts';
import { verifiedAccessClaims, verifiedSecretClaims } from './jwt-verify.ts';
import type { Signer } from './key-verdict.ts';

type BoundClaims = AccessTokenClaims | ClientSecretClaims;

/** Tokens that somebody with a key asked for: for MCP, good at one address, or for browsers, good for one model. */
export function boundClaims(presented: string, signer: Signer): BoundClaims | undefined {
  return signer.signs === 'access' ? verifiedAccessClaims(presented, signer) : verifiedSecretClaims(presented, signer);
}

/** The principal of the token. `key`: the key that asked for it, as it is now, where it is configured. */
export function boundPrincipal(claims: BoundClaims, key: ConfiguredKey | undefined): Principal {
  const { sub: subject, key_id: keyId, aud } = claims;
  const about = { subject, keyId, teams: key?.teams ?? claims.teams, audiences: [aud] };
  if ('session' in claims) {
    const { model, targets, type, config } = claims.session;
    // The request for the token may have added metadata; the key's own wins.
    const metadata = { ...claims.metadata, ...key?.metadata };
    return { ...about, metadata, models: [model, ...targets], session: { model, type, config } };
  }
  const scopes = claims.scope?.split(' ');
  return { ...about, metadata: key?.metadata ?? claims.metadata, models: [], ...(scopes && { scopes }) };
}

/** Whether its key may still be used for what the token is good for. */
export function mayAsk({ models }: ConfiguredKey, claims: BoundClaims): boolean {
  return models === undefined || !('session' in claims) || compilePatterns(models)(claims.session.model);
}
