import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { costSchema } from './cost-schema.ts';
import { amount, optionalKey, secretText, text } from './scalar-schema.ts';
import { subjectPattern } from './subject.ts';

/**
 * The pieces of a provider account's manifest that all kinds share (docs/manifests.md). A plug takes them and
 * `.extend`s; wire names stay as they are written, snake_case. Unknown keys are stripped; load.ts warns of them.
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

export const apiKeyAuth = z.object({ type: z.literal('api-key'), api_key: secretText() });

export const basicAuth = z.object({
  type: z.literal('basic-auth'),
  username: text().refine((name) => !name.includes(':'), { error: 'a user name without `:`' }),
  password: secretText(),
});

export const bearerAuth = z.object({ type: z.literal('bearer-auth'), bearer_token: secretText() });

/** A wrong one would only show as connections that never come about. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== '';
  } catch {
    // Not a certificate: the schema says so.
    return false;
  }
}

export const tlsSettings = z.object({
  reject_unauthorized: z.boolean(),
  ca_cert: optionalKey(z.string().refine(isCertificate, { error: 'a certificate in PEM form' })),
});

/** Who may use or manage an account, and one model of it; policy/access.ts says what follows. */
const collaborators = optionalKey(z.array(z.object({ subject: subjectPattern, role_id: text(256) })));
const authorizedSubjects = optionalKey(z.array(subjectPattern));

const accountNameError = '1 to 64 characters of A–Z a–z 0–9 . _ - (it stands before the first `/` of model ids)';
export const accountName = z
  .string({ error: accountNameError })
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, { error: accountNameError });

// 64 of the account, one slash and 191 make the 256 characters that a model id may have.
const integrationNameError = '1 to 191 characters of A–Z a–z 0–9 . _ : / @ + - without a `..` segment';
export const integrationName = z
  .string({ error: integrationNameError })
  .regex(/^[A-Za-z0-9._:/@+-]{1,191}$/, { error: integrationNameError })
  .refine((name) => !name.split('/').includes('..'), { error: integrationNameError });

/** One listed model; extend it with what the kind adds (or `.omit` what it replaces). */
export function integrationBase<T extends string>(type: T) {
  return z.object({
    type: z.literal(type),
    name: integrationName,
    model_id: text(512),
    model_types: z.array(modelType),
    cost: optionalKey(costSchema),
    authorized_subjects: authorizedSubjects,
  });
}

/** `integrations` of an account: absent, null and empty all mean that none is listed, and read as []. */
export function integrationList<T extends z.ZodType<{ name: string }>>(integration: T) {
  return z
    .array(integration)
    .nullish()
    .transform((list): z.output<T>[] => list ?? []);
}

/** Everything of an account but its `auth_data` and `integrations`, which differ from kind to kind. */
export function accountBase<T extends string>(type: T) {
  return z.object({
    type: z.literal(type),
    name: accountName,
    collaborators,
    ownedBy: optionalKey(z.object({ account: optionalKey(text(256)), team: optionalKey(text(256)) })),
    discount_percent: optionalKey(amount().max(100, { error: 'a number from 0 to 100' })),
  });
}
