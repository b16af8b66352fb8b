import { z } from 'zod';
import { accountBase, integrationBase, integrationList } from '../../config/account-schema.ts';
import { secretText, text } from '../../config/scalar-schema.ts';
import { listedModels } from '../base/listed-models.ts';
import { openHostAccount } from '../openai-compatible/host-account.ts';
import { rowOf } from '../openai-compatible/hosts.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { ProviderPlug } from '../provider.ts';

const type = 'provider-account/snowflake-cortex';
const identifierError = 'an account identifier, as `myorg-account123`, without address';

const schema = accountBase(type).extend({
  account_identifier: text(256)
    .regex(/^[A-Za-z0-9][\w.-]*$/, { error: identifierError })
    .describe('Of the Snowflake account; no address.'),
  auth_data: z.object({
    type: z.literal('pat-token'),
    pat_token: secretText().describe('A programmatic access token.'),
  }),
  integrations: integrationList(integrationBase('integration/model/snowflake-cortex')),
});

/** Cortex: https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api */
export const plug: ProviderPlug = {
  type,
  schema,
  wires: [openAiChatWire],
  open(checked) {
    const manifest = schema.parse(checked);
    // Of one account; in host names an underscore is a dash.
    const account_identifier = manifest.account_identifier.replaceAll('_', '-');
    return openHostAccount({
      manifest,
      row: rowOf('snowflake-cortex'),
      key: manifest.auth_data.pat_token,
      baseUrl: undefined,
      parts: { account_identifier },
      listed: listedModels(manifest.integrations),
    });
  },
};
