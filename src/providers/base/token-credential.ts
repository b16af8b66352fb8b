import type { AccountToken } from '../../core/account-token.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Credential, Tokens } from '../credential.ts';
import { digest } from './credential.ts';
import { redaction } from './redaction.ts';

/** Where a credential finds its token. */
export interface TokenPlace {
  readonly tokens: Tokens;
  /** The id of the token's source. */
  readonly id: string;
  readonly account: string;
}

/** Names a source by what its tokens are asked with, without holding it: another secret is another source. */
export function tokenSourceId(account: string, asked: readonly string[]): string {
  return `${account} ${digest(asked)}`;
}

/** The token that is good now. Also for credentials that sign with it. */
export function currentToken({ tokens, id, account }: TokenPlace): OrError<AccountToken> {
  const token = tokens.get(id);
  if (token !== undefined && token.expiresAtMs > Date.now()) return token;
  const state =
    token === undefined
      ? 'has no token yet'
      : `has a token that ended at ${new Date(token.expiresAtMs).toISOString()} and was not renewed`;
  return new GatewayError('account_token_missing', { detail: `Account \`${account}\` ${state}.`, retryAfterMs: 1000 });
}

/** Headers that hold a token, made once for each token. */
export function tokenCredential(
  place: TokenPlace,
  headersOf: (values: AccountToken['values']) => readonly string[],
): Credential {
  let made: { readonly token: AccountToken; readonly headers: readonly string[] } | undefined;
  let before: AccountToken | undefined;
  let redact: ((words: string) => string) | undefined;
  return {
    // A connection outlives a token: it is the source that tells accounts apart.
    poolKey: digest([place.id]),
    sign: () => {
      const token = currentToken(place);
      if (token instanceof GatewayError) return token;
      if (made?.token !== token) {
        before = made?.token;
        made = { token, headers: headersOf(token.values) };
        redact = undefined;
      }
      return made.headers;
    },
    // A late answer may be about the token before.
    redact: (words) => {
      redact ??= redaction([before, made?.token].flatMap((token) => Object.values(token?.values ?? {})));
      return redact(words);
    },
  };
}
