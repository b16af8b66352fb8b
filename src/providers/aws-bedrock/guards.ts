import { z } from 'zod';
import { optionalKey } from '../../config/scalar-schema.ts';
import { awsAuth, awsCredential, awsRegion, awsTokenSources } from '../base/aws-credential.ts';
import { guardAccount } from '../base/guard-account.ts';
import type { GuardCredentials } from '../provider.ts';

const schema = z.object({ region: awsRegion(), auth_data: optionalKey(awsAuth) });

/** Guardrails of Bedrock are authorised as its models are. */
export const bedrockGuards: GuardCredentials = {
  kinds: ['aws-bedrock'],
  tokenSources: (guard) => awsTokenSources({ name: guardAccount(guard), ...read(guard) }),
  open(guard, tokens) {
    const account = { name: guardAccount(guard), ...read(guard) };
    return awsCredential(account, tokens, { region: account.region, service: 'bedrock' });
  },
};

function read({ config, auth }: Parameters<GuardCredentials['tokenSources']>[0]): z.output<typeof schema> {
  return schema.parse({ region: config['region'], auth_data: auth });
}
