import { z } from 'zod';
import type { TokenSource } from '../provider.ts';

const DEADLINE_MS = 10_000;
const MAX_ANSWER_CHARACTERS = 65_536;

const answer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/**
 * A token of a service principal, good for an hour. Redirects are not followed: they would get the secret. Rejects with
 * a reason that holds neither secret nor answer. https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m
 */
export async function fetchToken(
  workspace: string,
  clientId: string,
  secret: string,
  stop: AbortSignal,
): ReturnType<TokenSource['fetch']> {
  const response = await fetch(`${workspace}/oidc/v1/token`, {
    method: 'POST',
    redirect: 'error',
    signal: AbortSignal.any([stop, AbortSignal.timeout(DEADLINE_MS)]),
    headers: {
      authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: 'grant_type=client_credentials&scope=all-apis',
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the workspace answered ${response.status} when it was asked for a token`);
  }
  const text = await response.text();
  const read = text.length > MAX_ANSWER_CHARACTERS ? undefined : answer.safeParse(parsed(text)).data;
  if (read === undefined) throw new Error('the workspace answered with no token');
  return { values: { token: read.access_token }, expiresAtMs: Date.now() + read.expires_in * 1000 };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says that it is no token.
    return undefined;
  }
}
