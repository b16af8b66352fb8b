import { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, optionalKey } from '../../config/scalar-schema.ts';
import { federationFile, keyFile } from './credential-file.ts';

export const type = 'provider-account/google-vertex';

/** The content of such a file, as its text or as the map that it holds. */
function content<File>(schema: z.ZodType<File>, error: string) {
  return z.union([z.string({ error }), z.record(z.string(), z.unknown())], { error }).transform((written, context) => {
    const read = schema.safeParse(typeof written === 'string' ? parsed(written) : written);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? '' : ` (see \`${issue.path.join('.')}\`)`;
    context.addIssue({ code: 'custom', message: error + place });
    return z.NEVER;
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON: the schema says so.
    return undefined;
  }
}

const KEY_FILE = 'the JSON key of a service account (or what gcloud keeps of a user), as its text or as a map';
const FEDERATION_FILE = 'the JSON file of a federation, whose `type` is `external_account`, as its text or as a map';

export const keyFileAuth = z.object({
  type: z.literal('key-file'),
  key_file_content: content(keyFile, KEY_FILE).describe('The JSON key of a service account, as text or as a map.'),
});

const auth = z.discriminatedUnion('type', [
  keyFileAuth,
  z.object({
    type: z.literal('workload-identity-federation-file'),
    key_file_content: content(federationFile, FEDERATION_FILE).describe(
      'The configuration of a workload identity federation, as text or as a map.',
    ),
  }),
  // Ours, not of the reference manifests: express mode, or a key that is bound to a service account.
  apiKeyAuth,
]);

const projectError = 'the id of a project: letters, digits, `-`, `.`, `:`';
const regionError = '`global`, `us`, `eu` or a region, as `us-central1`';
const region = z.string({ error: regionError }).regex(/^(global|us|eu|[a-z]+-[a-z]+\d{1,2})$/, { error: regionError });

const integration = integrationBase('integration/model/vertex', ['integration/model/gcp/vertex']).extend({
  region: optionalKey(region).describe("Where this model is asked; absent: the account's region."),
});

export const schema = accountBase(type)
  .extend({
    auth_data: optionalKey(auth).describe(
      "Absent: the credentials of the surroundings, as Google's tools find them, down to the metadata server.",
    ),
    project_id: optionalKey(
      z.string({ error: projectError }).regex(/^[A-Za-z0-9.:-]{1,64}$/, { error: projectError }),
    ).describe('The project that is billed. Only with an API key it may be absent (express mode).'),
    region: optionalKey(region).describe('Where models are asked. Only in express mode it may be absent.'),
    // Ours, not of the reference manifests: for proxies and private endpoints.
    base_url: optionalKey(baseUrl()).describe('In place of the host of the region.'),
    integrations: integrationList(integration),
  })
  .superRefine(({ auth_data, project_id, region: where }, context) => {
    const express = auth_data?.type === 'api-key' && project_id === undefined;
    if (project_id === undefined && !express) {
      context.addIssue({ code: 'custom', path: ['project_id'], message: projectError });
    }
    if (where === undefined && !express) {
      context.addIssue({ code: 'custom', path: ['region'], message: regionError });
    }
  });

export type VertexAccount = z.output<typeof schema>;
export type VertexAuth = VertexAccount['auth_data'];
