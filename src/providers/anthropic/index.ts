import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault, optionalKey } from '../../config/scalar-schema.ts';
import { messageBatches } from '../anthropic-messages/batches.ts';
import { anthropicCountTokensWire } from '../anthropic-messages/count-tokens-wire.ts';
import { anthropicModels } from '../anthropic-messages/models-probe.ts';
import { anthropicWire } from '../anthropic-messages/wire.ts';
import { openAccount } from '../base/account.ts';
import { headerCredential, NO_CREDENTIAL } from '../base/credential.ts';
import { listedModels } from '../base/listed-models.ts';
import { mountAt } from '../base/mount.ts';
import type { ProviderPlug } from '../provider.ts';
import { listTerms } from './list-terms.ts';

const type = 'provider-account/anthropic';

const WIRES = [anthropicWire, anthropicCountTokensWire];

const schema = accountBase(type).extend({
  auth_data: optionalKey(apiKeyAuth),
  // Ours, not of the reference manifests: for proxies and for others who speak the Messages API.
  base_url: keyWithDefault(baseUrl(), 'https://api.anthropic.com'),
  integrations: integrationList(integrationBase('integration/model/anthropic')),
});

export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: {
    variable: 'ANTHROPIC_API_KEY',
    account: 'anthropic',
    manifest: (value) => ({ type, name: 'anthropic', auth_data: { type: 'api-key', api_key: value } }),
  },
  wires: WIRES,
  probe: anthropicModels,
  open(checked) {
    const manifest = schema.parse(checked);
    // The wire's path begins with /v1: an address that was written with it means the same.
    const url = manifest.base_url.replace(/\/v1$/, '');
    return openAccount({
      manifest,
      catalogueId: 'anthropic',
      terms: listTerms,
      exampleModel: 'claude-haiku-4-5',
      // Its streams always carry usage; there is nothing to ask for.
      abilities: { usageInStream: false, developerRole: true },
      mounts: WIRES.map((wire) =>
        mountAt({
          wire,
          account: manifest,
          url,
          credential: manifest.auth_data ? headerCredential(['x-api-key', manifest.auth_data.api_key]) : NO_CREDENTIAL,
          headers: ['anthropic-version', '2023-06-01'],
        }),
      ),
      listed: listedModels(manifest.integrations),
      batches: messageBatches,
    });
  },
};
