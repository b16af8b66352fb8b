import { stringOf } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { guardAccount } from '../base/guard-account.ts';
import type { GuardCredentials } from '../provider.ts';
import { azureAuth } from './auth.ts';
import { type AzureAccess, azureCredential, azureTokenSources } from './entra-token.ts';

/** Services of a resource of Azure AI: their key stands in another header than that of models. */
export const azureGuards: GuardCredentials = {
  kinds: ['azure-pii', 'azure-content-safety', 'azure-prompt-shield'],
  tokenSources: (guard) => azureTokenSources(accessOf(guard)),
  open: (guard, tokens) => azureCredential(accessOf(guard), 'ocp-apim-subscription-key', tokens),
};

function accessOf(guard: GuardConfig): AzureAccess {
  const own = stringOf(guard.config['custom_host']);
  const host = own === undefined ? 'cognitiveservices.azure.com' : new URL(own).hostname;
  const auth = azureAuth.parse(guard.auth);
  return { account: guardAccount(guard), auth, host, service: 'cognitive-services', proxy: undefined };
}
