import { z } from 'zod';
import { isMetadataAddress } from '../../core/metadata-address.ts';
import { ownedBy, tlsSettings } from '../account-schema.ts';
import { dollars } from '../rules/amounts.ts';
import { headerMap, keyWithDefault, optionalKey, restricting, secretText, text } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import type { McpAnnotations, McpAuth, McpToolGrant, McpToolSetting } from './mcp-servers.ts';

/** The keys that the kinds of MCP servers share, as they are written; docs/manifests.md is made of them. */

export const MCP_ROLES: ReadonlySet<string> = new Set(['mcp-server-manager', 'mcp-server-user']);

const nameError = '1 to 64 characters of A–Z a–z 0–9 . _ -';
export const mcpName = z.string({ error: nameError }).regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/, { error: nameError });

export const collaborators = restricting(
  z
    .array(
      z.object({
        subject: subjectPattern.describe('Who: `user:…`, `team:…`, `virtualaccount:…`.'),
        role_id: text(256).describe('`mcp-server-manager` or `mcp-server-user`.'),
      }),
    )
    .max(1000),
).describe('Who may use the server; nobody else may.');

const selectorError =
  'a tool name, in which `*` stands for any characters, or `@all`, `@read-only`, `@write`, `@destructive`';
export const toolSelector = z
  .string({ error: selectorError })
  .regex(/^(@all|@read-only|@write|@destructive|[^@\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,255})$/, { error: selectorError });

const toolAccess = restricting(
  optionalKey(
    z
      .array(
        z
          .object({
            subjects: z.array(subjectPattern).min(1).describe('Who: `user:…`, `team:…`, `virtualaccount:…`, `*`.'),
            tools: z
              .array(toolSelector)
              .min(1)
              .describe('Which: names with `*`, `@read-only`, `@write`, `@destructive`, `@all`.'),
            metadata: keyWithDefault(z.record(z.string(), z.string()), {}).describe(
              'What the metadata of the request must hold.',
            ),
          })
          .transform((grant): McpToolGrant => grant),
      )
      .max(1000),
  ),
  ['tool_permissions', 'allowed_tools'],
).describe('Who of them may use which tool; with it all that is not named is closed.');

const annotations = optionalKey(
  z.object({
    readOnlyHint: optionalKey(z.boolean()).describe('The tool changes nothing.'),
    destructiveHint: optionalKey(z.boolean()).describe('The tool may destroy something.'),
  }),
).describe('Stand in place of what the server says of the tool.');

const costPerCall = optionalKey(dollars);

/** Without the keys that are not there. */
export function annotationsOf(written: z.output<typeof annotations>): McpAnnotations | undefined {
  if (written === undefined) return undefined;
  const { readOnlyHint, destructiveHint } = written;
  return {
    ...(readOnlyHint !== undefined && { readOnlyHint }),
    ...(destructiveHint !== undefined && { destructiveHint }),
  };
}

const toolSetting = restricting(
  z
    .object({
      name: text(256).describe('As the server names it.'),
      description: optionalKey(z.string().max(8192)).describe('Stands in place of the one of the server.'),
      disabled: optionalKey(z.boolean()).describe('Nobody sees it, and nobody can call it.'),
      annotations,
      cost_per_call: costPerCall.describe('US dollars of each call; budgets and the ledger count them.'),
    })
    .transform(({ name, description, disabled, annotations: hints, cost_per_call: cost }): McpToolSetting => {
      const given = annotationsOf(hints);
      return {
        name,
        disabled: disabled ?? false,
        ...(description !== undefined && { description }),
        ...(given && { annotations: given }),
        ...(cost !== undefined && { callNanoUsd: cost }),
      };
    }),
);

export const toolSettings = restricting(keyWithDefault(z.array(toolSetting).max(10_000), [])).describe(
  'What is told of single tools, and which are disabled.',
);

export const operationSettings = restricting(
  keyWithDefault(
    z
      .array(
        z.object({
          method: z.enum(['get', 'post', 'put', 'patch', 'delete', 'head']).describe('Of the operation.'),
          path: text(2048).describe('Of the operation, as the document writes it.'),
          name: text(128).describe('Of the tool.'),
          description: z.string().min(1).max(8192).describe('Of the tool.'),
          annotations,
          cost_per_call: costPerCall.describe('US dollars of each call.'),
        }),
      )
      .max(1000),
    [],
  ),
).describe('Which operations are tools, and under which name.');

export const additionalHeaders = keyWithDefault(headerMap(), {}).describe(
  'Sent with each request; `auth_data` wins on the same header.',
);

export const mcpTls = optionalKey(tlsSettings).describe('How the certificate of the server is checked.');

const headerAuth = z.object({
  type: z.literal('header'),
  headers: headerMap().describe('Sent with each request; per user, `{{NAME}}` stands for what the user brings.'),
  auth_level: keyWithDefault(z.enum(['global', 'per_user']), 'global').describe('Whose credential it is.'),
});

const passthroughAuth = z.object({ type: z.literal('passthrough') });

/** An older name of `oauth2` with `authorization_code` where the server tells all the rest. */
const registrationAuth = z.object({ type: z.literal('dcr') });

const oauthUrlError = 'an http:// or https:// address without user name and fragment, and of no metadata service';

/** A query belongs to some. */
function oauthUrl() {
  return z.string({ error: oauthUrlError }).max(2048).refine(isOAuthUrl, { error: oauthUrlError });
}

function isOAuthUrl(value: string): boolean {
  if (value !== value.trim() || !URL.canParse(value)) return false;
  const { protocol, username, password, hash, hostname } = new URL(value);
  if ((protocol !== 'http:' && protocol !== 'https:') || username !== '' || password !== '' || hash !== '')
    return false;
  return !isMetadataAddress(hostname);
}

const oauth = z.object({
  type: z.literal('oauth2'),
  grant_type: z
    .enum(['authorization_code', 'client_credentials', 'token_exchange'])
    .describe(
      'How a token is got: each user agrees, the gateway has it for all, or for the JWT of the caller (RFC 8693).',
    ),
  token_url: optionalKey(oauthUrl()).describe(
    'Where a token is asked for; with `authorization_code` the server may tell it (RFC 9728, RFC 8414).',
  ),
  jwt_source: keyWithDefault(z.enum(['access_token', 'id_token']), 'access_token').describe('Which token is sent.'),
  authorization_url: optionalKey(oauthUrl()).describe('Where a user agrees; absent: the server tells it.'),
  client_id: optionalKey(text(1024)).describe('Who the gateway is there; absent: it registers itself.'),
  client_secret: optionalKey(secretText(4096)).describe('Of that client.'),
  registration_url: optionalKey(oauthUrl()).describe('Where the gateway registers itself (RFC 7591).'),
  introspection_url: optionalKey(oauthUrl()).describe(
    'Is asked how long a token lives that came without `expires_in` (RFC 7662).',
  ),
  scopes: keyWithDefault(z.array(text(256)).max(100), []).describe('What is asked for.'),
  code_challenge_methods_supported: optionalKey(z.array(z.enum(['S256']))).describe('S256 is always used.'),
  additional_token_params: keyWithDefault(z.record(z.string(), z.string()), {}).describe(
    'Further parameters of the token request.',
  ),
  provider: optionalKey(z.enum(['auth0'])).describe('Has no effect.'),
  use_organization: optionalKey(z.boolean()).describe('Asks for `default_organization` where a user agrees.'),
  default_organization: optionalKey(text(256)).describe('Of Auth0.'),
});

export const mcpAuth = restricting(
  optionalKey(z.discriminatedUnion('type', [headerAuth, passthroughAuth, oauth, registrationAuth]))
    .superRefine((written, context) => {
      if (written?.type !== 'oauth2' || written.grant_type === 'authorization_code') return;
      if (written.token_url !== undefined) return;
      const message = `an address: with \`${written.grant_type}\` nobody else says it`;
      context.addIssue({ code: 'custom', path: ['token_url'], message });
    })
    .transform((written) => (written === undefined ? ({ type: 'none' } satisfies McpAuth) : authOf(written))),
).describe('How the gateway authenticates itself there; absent: not at all.');

type WrittenAuth = z.output<typeof headerAuth | typeof passthroughAuth | typeof oauth | typeof registrationAuth>;

function authOf(written: WrittenAuth): McpAuth {
  if (written.type === 'passthrough') return { type: 'passthrough' };
  if (written.type === 'dcr') return authOf(oauth.parse({ type: 'oauth2', grant_type: 'authorization_code' }));
  if (written.type === 'header') {
    return { type: 'header', headers: written.headers, perUser: written.auth_level === 'per_user' };
  }
  const { authorization_url: authorizationUrl, registration_url: registrationUrl } = written;
  const { client_id: clientId, client_secret: clientSecret } = written;
  const { token_url: tokenUrl, introspection_url: introspectionUrl, default_organization: organization } = written;
  const authorizationParameters: Record<string, string> =
    written.use_organization === true && organization !== undefined ? { organization } : {};
  return {
    type: 'oauth2',
    grant: written.grant_type,
    authorizationParameters,
    ...(tokenUrl !== undefined && { tokenUrl }),
    ...(introspectionUrl !== undefined && { introspectionUrl }),
    tokenField: written.jwt_source,
    scopes: written.scopes,
    parameters: written.additional_token_params,
    ...(authorizationUrl !== undefined && { authorizationUrl }),
    ...(registrationUrl !== undefined && { registrationUrl }),
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret }),
  };
}

export const partHeaders = optionalKey(
  z.object({
    type: z.literal('header'),
    headers: headerMap().describe('Sent in place of the credential of that server.'),
  }),
).describe('Stands in place of the credential of that server.');

/** The keys of each kind `mcp-server/…` but for those of its own. */
export const mcpBase = {
  name: mcpName.describe('Stands in its address: `/mcp/v1/<name>/mcp`.'),
  description: z.string().max(8192).describe('What it is for.'),
  collaborators,
  tool_access: toolAccess,
  cost_per_call: costPerCall.describe('US dollars of each call of its tools, where a tool has no price of its own.'),
  ownedBy,
  tags: keyWithDefault(z.record(z.string(), z.unknown()), {}).describe('Key to value; shown by the admin API.'),
};
