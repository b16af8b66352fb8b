import { z } from 'zod';
import { apiKeyAuth, basicAuth, bearerAuth } from '../account-schema.ts';
import { baseUrl, headerMap, keyWithDefault, optionalKey, secretText, text, wholeNumber } from '../scalar-schema.ts';
import { PII_CATEGORIES } from './pii-categories.ts';

/** `config` and `auth_data` of each kind of guard, as the reference product writes them; a few keys are ours. */

const secret = (said: string) => secretText().describe(said);
const word = (said: string) => text().describe(said);

const awsKeys = z.object({
  type: z.literal('access-key-based'),
  access_key_id: secret('Id of the key.'),
  secret_access_key: secret('The key.'),
  session_token: optionalKey(secretText()).describe('Of temporary keys, which end and are not renewed.'),
});
const awsRole = z.object({
  type: z.literal('assumed-role-based'),
  assumed_role_arn: word('Role that is assumed.'),
  external_id: optionalKey(text(1224)).describe('Id that the role asks for.'),
});
const application = { tenant_id: word('Directory of Entra.'), client_id: word('Application of it.') };
const azureAuth = z.discriminatedUnion('type', [
  apiKeyAuth,
  z.object({
    type: z.literal('certificate'),
    ...application,
    certificate: z.string().describe('In PEM form, with its private key.'),
    certificate_thumbprint: optionalKey(text()).describe('Its SHA-1; absent: that of `certificate`.'),
  }),
  z.object({ type: z.literal('client-secret'), ...application, client_secret: secret('Of the application.') }),
  z.object({ type: z.literal('workload-identity'), ...application }),
  z.object({
    type: z.literal('managed-identity'),
    client_id: optionalKey(text()).describe('Of a user-assigned identity; absent: that of the machine.'),
  }),
]);
const keyFile = z.object({
  type: z.literal('key-file'),
  key_file_content: z.union([z.string(), z.record(z.string(), z.unknown())]).describe('Key file of a service account.'),
});
const tokenAuth = z.object({ type: z.literal('token'), token: secret('Sent with each request.') });
const clientId = z.object({ type: z.literal('client-id'), client_id: secret('Sent with each request.') });
const headerAuth = z.object({ type: z.literal('header'), headers: headerMap().describe('Sent with each request.') });

const strings = z.array(text());
const severity = z
  .number({ error: 'a number from 0 to 6' })
  .min(0)
  .max(6)
  .describe('From 0 to 6: as much or more fails.');
const harms = z.array(z.enum(['Hate', 'SelfHarm', 'Sexual', 'Violence'])).describe('What is looked for.');
const pii = z
  .array(
    z.string().refine((name) => PII_CATEGORIES.has(name), {
      error: 'a category of personal data, as `Email` or `CreditCardNumber`, or `*` for all',
    }),
  )
  .describe('What is looked for; `*`: all.');
const azure = {
  resource_name: text().describe('Name of the resource of Azure.'),
  api_version: text().describe('Version of the API, as `2024-09-01`.'),
  custom_host: optionalKey(baseUrl()).describe('Address in place of that of the resource.'),
};
const flag = (said: string) => optionalKey(z.boolean()).describe(said);

const keySpec = z.object({
  required: optionalKey(z.boolean()).describe('Whether the key must be there.'),
  value: optionalKey(
    z.discriminatedUnion('constraint', [
      z.object({
        constraint: z.literal('regex'),
        regex: text(4096).describe('Pattern of RE2 that its whole value matches.'),
      }),
      z.object({ constraint: z.literal('allowed_values'), allowed_values: strings.describe('What it may be.') }),
    ]),
  ).describe('What its value may be.'),
});

const customPattern = z.object({
  pattern: text(4096).describe('A pattern of RE2.'),
  redaction_text: keyWithDefault(z.string().max(1024), '[REDACTED]').describe('What takes its place.'),
  max_match_bytes: optionalKey(wholeNumber(1, 1_048_576)).describe(
    'Of a pattern whose matches have no longest: how much of a stream is held for one. Absent: all behind its beginning.',
  ),
});

export type GuardAbility = 'validate' | 'validate-or-mutate';

export interface GuardSchema {
  readonly abilities: GuardAbility;
  readonly config: z.ZodType;
  /** Undefined: it has none. */
  readonly auth?: z.ZodType;
  /** `auth_data` may be left out. */
  readonly authOptional?: true;
  /** `config` may be left out. */
  readonly configOptional?: true;
  readonly target?: true;
  /** It is a service that is asked by HTTP. */
  readonly asksOthers?: true;
}

const evaluator = z.object({
  type: text(128).describe('As `judge`.'),
  criteria: text(256).describe('As `patronus:is-polite`.'),
});

export const GUARDS = {
  'openai-moderations': {
    abilities: 'validate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      model: text().describe('Model of moderation.'),
      base_url: optionalKey(baseUrl()).describe('Address in place of OpenAI’s.'),
      category_thresholds: optionalKey(z.record(text(), z.number().min(0).max(1))).describe(
        'Score from which a category fails, in place of the model’s own verdict.',
      ),
    }),
  },
  'aws-bedrock': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: z.discriminatedUnion('type', [awsKeys, awsRole, apiKeyAuth]),
    authOptional: true,
    config: z.object({
      guardrail_id: text().describe('Id of the guardrail.'),
      guardrail_version: text().describe('Its version, as `1` or `DRAFT`.'),
      region: text(64).describe('Region of AWS.'),
    }),
  },
  'azure-pii': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: azureAuth,
    config: z.object({
      ...azure,
      model_version: text().describe('As `latest`.'),
      language: text(16).describe('As `en`.'),
      domain: z.enum(['none', 'phi', 'healthcare']).describe('`phi`: health data too.'),
      pii_categories: pii,
    }),
  },
  'azure-content-safety': {
    abilities: 'validate',
    asksOthers: true,
    auth: azureAuth,
    config: z.object({
      ...azure,
      blocklist_names: optionalKey(strings).describe('Block lists of the resource.'),
      severity_threshold: severity,
      categories: harms,
    }),
  },
  'azure-prompt-shield': { abilities: 'validate', asksOthers: true, auth: azureAuth, config: z.object(azure) },
  'enkrypt-ai': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({ guardrail_name: text().describe('Name of the policy.') }),
  },
  'palo-alto-prisma-airs': {
    abilities: 'validate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      profile_name: text().describe('Name of the security profile.'),
      base_url: keyWithDefault(baseUrl(), 'https://service.api.aisecurity.paloaltonetworks.com/v1').describe(
        'Address of the service.',
      ),
      mode: keyWithDefault(z.enum(['sync', 'async']), 'sync').describe(
        '`async`: it is told, and its verdict not waited for.',
      ),
      metadata_key_mapping: optionalKey(z.record(text(), text())).describe('Field of the service to key of metadata.'),
    }),
  },
  fiddler: {
    abilities: 'validate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      guard_type: z.enum(['fiddler-safety', 'fiddler-response-faithfulness']).describe('Which model of it.'),
      threshold: optionalKey(z.number().min(0).max(1)).describe(
        'Score from which it fails (absent: 0.5), of faithfulness below which (0.005).',
      ),
      base_url: optionalKey(baseUrl()).describe('Address in place of the service’s.'),
    }),
  },
  'crowdstrike-aidr': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({ base_url: optionalKey(baseUrl()).describe('Address of the region.') }),
  },
  patronus: {
    abilities: 'validate',
    asksOthers: true,
    auth: apiKeyAuth,
    target: true,
    config: z.object({
      target: optionalKey(z.enum(['request', 'response'])).describe('What is looked at.'),
      evaluators: z.array(evaluator).describe('What judges, and by which criteria.'),
      base_url: optionalKey(baseUrl()).describe('Address in place of the service’s.'),
    }),
  },
  'google-model-armor': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: z.discriminatedUnion('type', [apiKeyAuth, keyFile]),
    config: z.object({
      project_id: text().describe('Project of Google Cloud.'),
      location: text(64).describe('Its region.'),
      template_id: text().describe('Template of Model Armor.'),
      base_url: optionalKey(baseUrl()).describe('Address in place of the region’s.'),
    }),
  },
  'grayswan-cygnal': {
    abilities: 'validate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      base_url: keyWithDefault(baseUrl(), 'https://api.grayswan.ai/cygnal/monitor').describe('Address of the service.'),
      policy_ids: optionalKey(strings).describe('Policies; the first is used.'),
      rules: optionalKey(z.record(text(), z.string())).describe('Rules of one’s own, by name.'),
      reasoning_mode: z.enum(['off', 'hybrid', 'thinking']).describe('How long it thinks.'),
    }),
  },
  akto: {
    abilities: 'validate',
    asksOthers: true,
    auth: tokenAuth,
    config: z.object({ base_url: baseUrl().describe('Address of the service.') }),
  },
  trojai: {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: clientId,
    config: z.object({ base_url: baseUrl().describe('Address of the service.') }),
  },
  pangea: {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      guard_type: z.enum(['textGuard', 'pii']).describe('Which of its services.'),
      domain: text().describe('Domain of the service.'),
      recipe: optionalKey(text()).describe('Recipe of the service.'),
      overrides: optionalKey(z.record(text(), z.string())).describe('Settings in place of those of the recipe.'),
    }),
  },
  promptfoo: {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: apiKeyAuth,
    config: z.object({
      guard_type: z.enum(['guard_check', 'pii_redaction', 'harmful_detection']).describe('Which of its services.'),
    }),
  },
  opa: {
    abilities: 'validate',
    asksOthers: true,
    auth: z.discriminatedUnion('type', [headerAuth, bearerAuth]),
    authOptional: true,
    config: z.object({
      opa_url: baseUrl().describe('Address of the Open Policy Agent.'),
      policy_path: text().describe('Behind `/v1/data/`.'),
    }),
  },
  cedar: {
    abilities: 'validate',
    config: z.object({ policy: z.string().describe('Policies in the language of Cedar.') }),
  },
  custom: {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    auth: z.discriminatedUnion('type', [basicAuth, bearerAuth]),
    authOptional: true,
    target: true,
    config: z.object({
      url: text(2048).describe('Where it is asked, by POST.'),
      headers: optionalKey(headerMap()).describe('Sent with each request.'),
      config: optionalKey(z.record(z.string(), z.unknown())).describe('Sent with each request as `config`.'),
      contract: keyWithDefault(z.enum(['truefoundry', 'litellm']), 'truefoundry').describe(
        'What is asked and answered: the reference product’s form, or LiteLLM’s generic guardrail API.',
      ),
    }),
  },
  'secret-detection': {
    abilities: 'validate-or-mutate',
    configOptional: true,
    config: z.object({
      redaction_text: keyWithDefault(z.string().max(1024), '[REDACTED]').describe('What takes the place of a secret.'),
    }),
  },
  'sql-sanitizer': {
    abilities: 'validate-or-mutate',
    config: z.object({
      block_drop: flag('`DROP` fails.'),
      block_truncate: flag('`TRUNCATE` fails.'),
      block_alter: flag('`ALTER` fails.'),
      block_grant: flag('`GRANT` fails.'),
      block_revoke: flag('`REVOKE` fails.'),
      strip_comments: flag('Comments are taken out.'),
      block_delete_without_where: flag('`DELETE` without `WHERE` fails.'),
      block_update_without_where: flag('`UPDATE` without `WHERE` fails.'),
      require_parameterization: flag('Values in a statement fail.'),
    }),
  },
  regex: {
    abilities: 'validate-or-mutate',
    config: z.object({
      preset_patterns: optionalKey(z.object({ presets: z.array(text(64)).describe('Names of presets.') })).describe(
        'Patterns that come with it.',
      ),
      custom_patterns: optionalKey(z.array(customPattern).max(256)).describe('Patterns of one’s own.'),
    }),
  },
  'tfy-content-moderation': {
    abilities: 'validate',
    config: z.object({ severity_threshold: severity, categories: harms }),
  },
  'tfy-pii': {
    abilities: 'validate-or-mutate',
    asksOthers: true,
    config: z.object({
      pii_categories: pii,
      redaction_text: optionalKey(z.string().max(1024)).describe(
        'What takes its place; absent: `[Email]` and the like.',
      ),
      pseudonyms: keyWithDefault(z.boolean(), false).describe(
        'Each value gets a placeholder of its own, which is replaced by the value again in the answer.',
      ),
      presidio_url: optionalKey(baseUrl()).describe(
        'A Presidio analyzer, which is asked for `Person`, `Organization` and places (`Address`).',
      ),
      presidio_language: keyWithDefault(text(16), 'en').describe('What texts are written in.'),
      presidio_min_score: keyWithDefault(z.number().min(0).max(1), 0.5).describe('What scores less is no find.'),
    }),
  },
  'tfy-metadata': {
    abilities: 'validate',
    config: z.object({
      allow_unknown_keys: z.boolean().describe('Whether other keys may be there.'),
      keys: z.record(text(128), keySpec).describe('What must be there.'),
    }),
  },
  'code-safety-linter': { abilities: 'validate', configOptional: true, config: z.object({}) },
  'tfy-prompt-injection': { abilities: 'validate', configOptional: true, config: z.object({}) },
} as const satisfies Record<string, GuardSchema>;

export type GuardKind = keyof typeof GUARDS;
