import { z } from 'zod';
import { privateKeyText } from '../../config/private-key.ts';

/** Files that Google's tools write: https://cloud.google.com/docs/authentication/application-default-credentials */

const quota = { quota_project_id: z.string().optional() };

const serviceAccount = z.object({
  type: z.literal('service_account'),
  client_email: z.string(),
  private_key: privateKeyText(),
  private_key_id: z.string().optional(),
  ...quota,
});

const authorizedUser = z.object({
  type: z.literal('authorized_user'),
  client_id: z.string(),
  client_secret: z.string(),
  refresh_token: z.string(),
  ...quota,
});

const impersonation = z.object({
  type: z.literal('impersonated_service_account'),
  service_account_impersonation_url: z.url(),
  delegates: z.array(z.string()).optional(),
  source_credentials: z.discriminatedUnion('type', [serviceAccount, authorizedUser]),
  ...quota,
});

const word = z.string().optional();
const awsSource = z.object({
  environment_id: z.string(),
  region_url: word,
  url: word,
  regional_cred_verification_url: z.string(),
  imdsv2_session_token_url: word,
});
const programSource = z.object({
  executable: z.object({ command: z.string(), output_file: word, timeout_millis: z.number().optional() }),
});
const subjectSource = z
  .object({
    file: word,
    url: word,
    headers: z.record(z.string(), z.string()).optional(),
    format: z.object({ type: z.enum(['json', 'text']), subject_token_field_name: word }).optional(),
    certificate: z
      .object({
        use_default_certificate_config: z.boolean().optional(),
        certificate_config_location: word,
        trust_chain_path: word,
      })
      .optional(),
  })
  .refine(({ file, url, certificate }) => file ?? url ?? certificate, { error: 'file, url or certificate' });

const federation = z.looseObject({
  type: z.literal('external_account'),
  audience: z.string(),
  subject_token_type: z.string(),
  token_url: z.url().optional(),
  service_account_impersonation_url: z.url().optional(),
  client_secret: z.string().optional(),
  // Where the token that is exchanged comes from: AWS, a program, or a file or address.
  credential_source: z.union([awsSource, programSource, subjectSource]),
  ...quota,
});

export const keyFile = z.discriminatedUnion('type', [serviceAccount, authorizedUser, impersonation]);
export const federationFile = federation;
export const credentialFile = z.discriminatedUnion('type', [serviceAccount, authorizedUser, impersonation, federation]);
export type CredentialFile = z.output<typeof credentialFile>;
