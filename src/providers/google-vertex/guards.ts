import { z } from 'zod';
import { apiKeyAuth } from '../../config/account-schema.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { guardAccount } from '../base/guard-account.ts';
import type { GuardCredentials } from '../provider.ts';
import { keyFileAuth } from './manifest.ts';
import { vertexCredential, vertexTokenSource } from './token.ts';

const auth = z.discriminatedUnion('type', [keyFileAuth, apiKeyAuth]);

/** Model Armor takes the key file that Vertex takes. */
export const vertexGuards: GuardCredentials = {
  kinds: ['google-model-armor'],
  tokenSources(guard) {
    const account = accountOf(guard);
    return account.auth_data.type === 'api-key' ? [] : [vertexTokenSource(account)];
  },
  open: (guard, tokens) => vertexCredential(accountOf(guard), tokens),
};

function accountOf(guard: GuardConfig) {
  return { name: guardAccount(guard), auth_data: auth.parse(guard.auth), proxy: undefined };
}
