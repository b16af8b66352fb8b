import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey, secretText, text } from '../../config/scalar-schema.ts';
import { type AccountSetup, listedAccount, targetOf } from '../base/account.ts';
import { headerCredential } from '../base/credential.ts';
import { listedModel } from '../base/listed-models.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { tokenCredential, tokenSourceId } from '../base/token-credential.ts';
import type { Credential, Tokens } from '../credential.ts';
import { openAiModels } from '../openai-compatible/models-probe.ts';
import { openAiChatWire, openAiEmbeddingsWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';
import { accessKey, workloadToken } from './workload-token.ts';

const type = 'provider-account/cloudera';

const keyError = "the private key of the access key: Cloudera's 44 characters of base64, or PEM";

const schema = accountBase(type)
  .extend({
    auth_data: z.discriminatedUnion('type', [
      z.object({
        type: z.literal('workload-auth-token'),
        cdp_base_url: baseUrl().describe('Of the control plane, as `https://api.us-west-1.cdp.cloudera.com`.'),
        access_key_id: text(256).describe('Of an access key of the control plane.'),
        private_key: z
          .string({ error: keyError })
          .refine((key) => accessKey(key), { error: keyError })
          .describe('Of that access key.'),
        workload_name: text(256).describe('The workload that the token is for, as `DE`.'),
      }),
      z.object({ type: z.literal('token'), api_token: secretText().describe('A token that was made before.') }),
    ]),
    // Older manifests have it here.
    base_url: optionalKey(baseUrl()).describe('Of models that name none.'),
    integrations: integrationList(
      integrationBase('integration/model/cloudera').extend({
        base_url: optionalKey(baseUrl()).describe('The address of the model endpoint up to `/v1`.'),
      }),
    ),
  })
  .superRefine(({ base_url: usual, integrations }, context) => {
    for (const [index, { base_url: url }] of integrations.entries()) {
      if ((url ?? usual) !== undefined) continue;
      const message = 'the address of the model endpoint up to `/v1`';
      context.addIssue({ code: 'custom', path: ['integrations', index, 'base_url'], message });
    }
  });

type Account = z.output<typeof schema>;

const WIRES = [openAiChatWire, openAiEmbeddingsWire];

/** Model endpoints of Cloudera's AI inference service, each with an address of its own. */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: WIRES,
  probe: openAiModels,
  tokenSources(checked) {
    const account = schema.parse(checked);
    const { auth_data: auth, name, proxy } = account;
    if (auth.type === 'token') return [];
    return [
      { id: sourceId(account), account: name, fetch: (signal, http) => workloadToken(auth, http, { signal, proxy }) },
    ];
  },
  open(checked, tokens) {
    const account = schema.parse(checked);
    const setup: AccountSetup = {
      manifest: account,
      catalogueId: undefined,
      abilities: { usageInStream: true, developerRole: false },
    };
    const credential = credentialOf(account, tokens);
    const listed = account.integrations.map((model) => {
      const url = model.base_url ?? account.base_url!;
      const mounts = mountsOf(WIRES.map((wire) => mountAt({ wire, url, credential, account })));
      return targetOf(setup, mounts, listedModel(model, model.model_id));
    });
    return listedAccount(setup, listed);
  },
};

function credentialOf(account: Account, tokens: Tokens): Credential {
  const { auth_data: auth, name } = account;
  if (auth.type === 'token') return headerCredential(['authorization', `Bearer ${auth.api_token}`]);
  const place = { tokens, id: sourceId(account), account: name };
  return tokenCredential(place, ({ token }) => ['authorization', `Bearer ${token}`]);
}

function sourceId({ name, auth_data }: Account): string {
  return tokenSourceId(name, ['cloudera', JSON.stringify(auth_data)]);
}
