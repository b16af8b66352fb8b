import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, secretText } from '../../config/scalar-schema.ts';
import { type AccountSetup, listedAccount, targetOf } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedModel } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import { openAiChatWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';

const type = 'provider-account/cloudera';

const apiToken = z.object({
  type: z.literal('token'),
  api_token: secretText().describe('A token of the Cloudera platform; it is renewed by whoever writes the manifest.'),
});

/** Its tokens are asked with a signature of Cloudera's own. */
const workloadToken = z.looseObject({ type: z.literal('workload-auth-token') }).superRefine((_, context) => {
  context.addIssue({
    code: 'custom',
    path: ['type'],
    message: '`token`',
    params: { code: 'unsupported', message: 'is not supported yet' },
  });
});

const schema = accountBase(type).extend({
  auth_data: z.discriminatedUnion('type', [apiToken, workloadToken]),
  integrations: integrationList(
    integrationBase('integration/model/cloudera').extend({
      base_url: baseUrl().describe('Of this model’s endpoint, up to `/v1`.'),
    }),
  ),
});

const WIRES = [openAiChatWire, openAiEmbeddingsWire];

/** Cloudera AI Inference: each model has an address of its own. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: WIRES,
  probe: openAiModels,
  open(checked) {
    const manifest = schema.parse(checked);
    const { auth_data: auth } = manifest;
    const credential = headerCredential(auth.type === 'token' ? ['authorization', `Bearer ${auth.api_token}`] : []);
    const setup: AccountSetup = {
      manifest,
      catalogueId: undefined,
      abilities: { usageInStream: true, developerRole: false },
    };
    const listed = manifest.integrations.map((model) => {
      const mounts = WIRES.map((wire) => mountAt({ wire, url: model.base_url, credential, account: manifest }));
      return targetOf(setup, mountsOf(mounts), listedModel(model, model.model_id));
    });
    return listedAccount(setup, listed);
  },
};
