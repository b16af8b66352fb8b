import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { costSchema } from './cost-schema.ts';
import { amount, optionalKey, proxyAddress, restricting, restrictingKey, secretText, text } from './scalar-schema.ts';
import { subjectPattern } from './subject-schema.ts';

/**
 * The pieces of a provider account's manifest that all kinds share (docs/manifests.md). A plug takes them and
 * `.extend`s; wire names stay as they are written, snake_case. Unknown keys are stripped; checks/unknown-keys.ts tells
 * of them.
 */

export const modelType = z.enum([
  'chat',
  'completion',
  'embedding',
  'realtime',
  'rerank',
  'audio_transcription',
  'audio_translation',
  'text_to_speech',
  'moderation',
  'image',
  'responses',
  'ocr',
]);

export type ModelTypeName = z.output<typeof modelType>;

export const apiKeyAuth = z.object({
  type: z.literal('api-key'),
  api_key: secretText().describe('The key that the provider gave.'),
  further_api_keys: optionalKey(z.array(secretText()).max(31, { error: 'at most 31 keys' })).describe(
    'More keys of the same account: where one is refused or limited the next is asked, and they take turns.',
  ),
});

export const basicAuth = z.object({
  type: z.literal('basic-auth'),
  username: text()
    .refine((name) => !name.includes(':'), { error: 'a user name without `:`' })
    .describe('Sent with the password as `Authorization: Basic`.'),
  password: secretText().describe('Of that user.'),
});

export const bearerAuth = z.object({
  type: z.literal('bearer-auth'),
  bearer_token: secretText().describe('Sent as `Authorization: Bearer`.'),
});

/** A wrong one would only show as connections that never come about. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== '';
  } catch {
    // Not a certificate: the schema says so.
    return false;
  }
}

export const tlsSettings = restricting(
  z.object({
    reject_unauthorized: z.boolean().describe('`false` accepts any certificate, so that anybody in between can read.'),
    ca_cert: optionalKey(z.string().refine(isCertificate, { error: 'a certificate in PEM form' })).describe(
      'The authority to trust, in place of the public ones.',
    ),
  }),
);

/** The users and managers of an account, and of one model of it; policy/access.ts says what follows. */
export const collaborators = restricting(
  optionalKey(
    z.array(
      z.object({
        subject: subjectPattern.describe('Who: `user:…`, `team:…`, `virtualaccount:…`.'),
        role_id: text(256).describe('`provider-account-manager` or `provider-account-access`.'),
      }),
    ),
  ),
).describe('Who may use or manage the account; absent: everybody whose key may.');

const authorizedSubjects = restricting(optionalKey(z.array(subjectPattern)), ['users', 'teams', 'allow']).describe(
  'Who may use this model; absent: whoever may use the account.',
);

/** `owned_by` names a person or team; it has no effect here. */
export const ownedBy = optionalKey(
  z.object({
    account: optionalKey(text(256)).describe('Says nothing here.'),
    team: optionalKey(text(256)).describe('Says nothing here.'),
  }),
).describe('Who owns this in the reference product; has no effect.');

const accountNameError = '1 to 64 characters of A–Z a–z 0–9 . _ - (it stands before the first `/` of model ids)';
export const accountName = z
  .string({ error: accountNameError })
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, { error: accountNameError })
  .describe('Stands before the first `/` of its model ids.');

// 64 of the account, one slash and 191 make the 256 characters that a model id may have.
const integrationNameError = '1 to 191 characters of A–Z a–z 0–9 . _ : / @ + - without a `..` segment';
export const integrationName = z
  .string({ error: integrationNameError })
  .regex(/^[A-Za-z0-9._:/@+-]{1,191}$/, { error: integrationNameError })
  .refine((name) => !name.split('/').includes('..'), { error: integrationNameError })
  .describe('Stands behind the account: `account/name`.');

/** What a provider of this form may lack; what is not said is as the kind of account usually is. */
const abilities = optionalKey(
  z.object({
    stream_usage: optionalKey(z.boolean()).describe('Understands `stream_options.include_usage`.'),
    developer_role: optionalKey(z.boolean()).describe('Takes the role `developer`; `false`: it is sent as `system`.'),
  }),
);

/** Earlier revisions had one model type for all that is heard or spoken. */
const OLDER_AUDIO = 'audio';
const AUDIO_TYPES: readonly ModelTypeName[] = ['text_to_speech', 'audio_transcription', 'audio_translation'];

/** The model types that a written one stands for. */
export function modelTypesMeant(written: string): readonly string[] {
  return written === OLDER_AUDIO ? AUDIO_TYPES : [written];
}

export const modelTypes = z
  .array(z.enum([...modelType.options, OLDER_AUDIO]))
  .transform((types) => [...new Set(types.flatMap((type) => (type === OLDER_AUDIO ? AUDIO_TYPES : [type])))])
  .describe(`What the model is for; \`${OLDER_AUDIO}\` is an older name for all three of audio.`);

/**
 * One listed model; extend it with what the kind adds (or `.omit` what it replaces). Manifests of earlier revisions
 * name its type by one of `olderTypes`.
 */
export function integrationBase<T extends string>(type: T, olderTypes: readonly T[] = []) {
  const types = z.literal([type, ...olderTypes]);
  return z.object({
    type: olderTypes.length === 0 ? types : types.describe(`\`${type}\`; anything else is an older name of it.`),
    name: integrationName,
    model_id: text(512).describe("The provider's own id of the model."),
    model_types: modelTypes,
    cost: restrictingKey(optionalKey(costSchema)).describe(
      'What it costs; absent: the public list price, where one is known.',
    ),
    abilities: abilities.describe('What its provider can, where that differs from others of the kind.'),
    authorized_subjects: authorizedSubjects,
  });
}

/** `integrations` of an account: absent, null and empty all mean that none is listed, and read as []. */
export function integrationList<T extends z.ZodType<{ name: string }>>(integration: T) {
  return restrictingKey(
    z
      .array(integration)
      .nullish()
      .transform((list): z.output<T>[] => list ?? []),
    ['models', 'model_list'],
  ).describe('The models of the account; none listed: any model id is passed on.');
}

/** Everything of an account but its `auth_data` and `integrations`, which differ from kind to kind. */
export function accountBase<T extends string>(type: T) {
  return z.object({
    type: z.literal(type),
    name: accountName,
    collaborators,
    ownedBy,
    proxy: restricting(optionalKey(proxyAddress())).describe(
      'The proxy that its provider is reached through, or `none`; absent: as `upstream` of the server says.',
    ),
    tls_settings: optionalKey(tlsSettings).describe('How the certificate of its provider is checked.'),
    discount_percent: restrictingKey(optionalKey(amount().max(100, { error: 'a number from 0 to 100' }))).describe(
      'Percent off the public list price.',
    ),
  });
}
