import { z } from 'zod';
import { isMetadataAddress } from '../../core/metadata-address.ts';
import { nearNames } from '../../core/near-names.ts';
import { type Manifest, positionOf, warn } from '../documents/manifests.ts';
import type { Environment } from '../environment.ts';
import { didYouMean, type PathSegment, type Report } from '../fault.ts';
import { metadataOf } from '../identities/identity-schema.ts';
import {
  additionalHeaders,
  annotationsOf,
  MCP_ROLES,
  mcpAuth,
  mcpBase,
  mcpTls,
  operationSettings,
  partHeaders,
  toolSettings,
} from '../mcp/mcp-schema.ts';
import type { McpOpenApi, McpRemote, McpServer, McpServerBase, McpStdio, McpVirtual } from '../mcp/mcp-servers.ts';
import { keyWithDefault, optionalKey, restricting, secretText, text } from '../scalar-schema.ts';
import { type KindContext, manifestKind, type Written } from './manifest-kind.ts';

/** `mcp-server/…`: MCP servers behind the gateway. */

const names = [{ path: 'name', what: 'this name of an MCP server', over: 'mcp servers' }];

const urlError = 'an http:// or https:// address without user name and fragment';
/** The URL of an MCP server; some have a query. Addresses that give away the credentials of a machine are refused. */
export const serverUrl = z
  .string({ error: urlError })
  .refine(isServerUrl, { error: urlError, abort: true })
  .refine((value) => !isMetadataAddress(new URL(value).hostname), {
    error: 'an address that is no metadata service of a cloud, and not link-local',
  });

function isServerUrl(value: string): boolean {
  if (value.length > 2048 || value !== value.trim() || !URL.canParse(value)) return false;
  const { protocol, username, password, hash } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && hash === '';
}

const remote = z.object({
  type: z.literal('mcp-server/remote'),
  ...mcpBase,
  url: serverUrl.describe('Of the MCP endpoint.'),
  auth_data: mcpAuth,
  tls_settings: mcpTls,
  tool_settings: toolSettings,
  additional_headers: additionalHeaders,
});

export const mcpServerRemote = manifestKind({
  type: 'mcp-server/remote',
  schema: remote,
  uniqueKeys: names,
  check(written, context) {
    checkAll(written, context);
  },
  part: (written, { report }): { mcpServers: McpServer[] } => ({
    mcpServers: written.map(({ manifest, value }): McpRemote => {
      const tls = tlsOf(value.tls_settings);
      return {
        kind: 'remote',
        ...baseOf(value, manifest, report),
        url: value.url,
        auth: value.auth_data,
        headers: value.additional_headers,
        tools: value.tool_settings,
        ...(tls && { tls }),
      };
    }),
  }),
});

const virtual = z.object({
  type: z.literal('mcp-server/virtual'),
  ...mcpBase,
  mode: keyWithDefault(z.enum(['tools', 'search', 'code']), 'tools').describe(
    'What clients see: all tools; or `search_tools`, `describe_tool` and `call_tool`; or, instead of the last, `run_code`.',
  ),
  servers: restricting(
    z
      .array(
        z.object({
          name: text(129).describe('Of another MCP server; `group/name` of one in a group.'),
          enabled_tools: optionalKey(z.array(text(256)).max(10_000)).describe('Which of its tools; absent: all.'),
          auth_data: partHeaders,
        }),
      )
      .min(1)
      .max(100),
  ).describe('Whose tools stand under this name.'),
});

export const mcpServerVirtual = manifestKind({
  type: 'mcp-server/virtual',
  schema: virtual,
  uniqueKeys: [...names, { path: 'servers[].name', what: 'this server' }],
  check(written, context) {
    checkAll(written, context);
  },
  part: (written, { report }): { mcpServers: McpServer[] } => ({
    mcpServers: written.map(
      ({ manifest, value }): McpVirtual => ({
        kind: 'virtual',
        ...baseOf(value, manifest, report),
        mode: value.mode,
        servers: value.servers.map(virtualPart),
      }),
    ),
  }),
});

type WrittenPart = z.output<typeof virtual>['servers'][number];

export function virtualPart({ name, enabled_tools: enabledTools, auth_data: auth }: WrittenPart) {
  return { name, ...(enabledTools && { enabledTools }), ...(auth && { headers: auth.headers }) };
}

const openapi = z.object({
  type: z.literal('mcp-server/openapi'),
  ...mcpBase,
  url: serverUrl.describe('Base address of the API.'),
  openapi_spec_source: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('remote'), url: serverUrl.describe('Of the document, as JSON or YAML.') }),
      z.object({ type: z.literal('upload'), url: text(2048).describe('Of a blob store; is refused: there is none.') }),
      z.object({
        type: z.literal('inline'),
        openapi_spec: z
          .union([z.string().min(2), z.record(z.string(), z.unknown())])
          .describe('The document, as a map, or as text of JSON or YAML.'),
      }),
    ])
    .describe('Where its OpenAPI document is.'),
  enable_all_tools: optionalKey(z.boolean()).describe('Every operation is a tool, up to 30 of them.'),
  tool_settings: operationSettings,
  auth_data: mcpAuth,
  tls_settings: mcpTls,
  additional_headers: additionalHeaders,
});

export const mcpServerOpenApi = manifestKind({
  type: 'mcp-server/openapi',
  schema: openapi,
  uniqueKeys: [...names, { path: 'tool_settings[].name', what: 'this tool name' }],
  check(written, context) {
    checkAll(written, context);
    for (const { manifest, value } of written) {
      if (value.openapi_spec_source.type === 'upload') {
        const message = 'there is no blob store that it could stand in; use `remote` or `inline`';
        fault(context.report, manifest, ['openapi_spec_source', 'type'], message);
      }
      if (!value.enable_all_tools && value.tool_settings.length === 0) {
        const message = 'no operation is a tool';
        const remedy = 'List them in `tool_settings`, or set `enable_all_tools: true`';
        warn(context.report, manifest, ['tool_settings'], { message, remedy });
      }
    }
  },
  part: (written, { report }): { mcpServers: McpServer[] } => ({
    mcpServers: written.flatMap(({ manifest, value }): McpOpenApi[] => {
      const source = value.openapi_spec_source;
      if (source.type === 'upload') return [];
      const tls = tlsOf(value.tls_settings);
      const inline = source.type === 'inline' ? source.openapi_spec : undefined;
      return [
        {
          kind: 'openapi',
          ...baseOf(value, manifest, report),
          url: value.url,
          document:
            source.type === 'remote'
              ? { url: source.url }
              : typeof inline === 'string'
                ? { text: inline }
                : { value: inline },
          allTools: value.enable_all_tools ?? false,
          operations: value.tool_settings.map(({ annotations, cost_per_call: cost, ...operation }) => {
            const given = annotationsOf(annotations);
            return {
              ...operation,
              ...(given && { annotations: given }),
              ...(cost !== undefined && { callNanoUsd: cost }),
            };
          }),
          auth: value.auth_data,
          headers: value.additional_headers,
          ...(tls && { tls }),
        },
      ];
    }),
  }),
});

const stdio = z.object({
  type: z.literal('mcp-server/stdio'),
  ...mcpBase,
  command: text(4096).describe('The program; a relative path begins at the folder of the manifest.'),
  args: keyWithDefault(z.array(z.string().max(65_536)).max(1000), []).describe('Its arguments.'),
  auth_data: optionalKey(
    z.object({
      type: z.literal('env'),
      env: z
        .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, { error: 'a name of a variable' }), secretText())
        .describe('Its environment; with `PATH`, `HOME` and `LANG` it is all that it gets.'),
      auth_level: keyWithDefault(z.enum(['global', 'per_user']), 'global').describe(
        'With `per_user` each user has a process, and `{{NAME}}` stands for what the user brings.',
      ),
    }),
  ).describe('What it finds in its environment.'),
  tool_settings: toolSettings,
});

export const mcpServerStdio = manifestKind({
  type: 'mcp-server/stdio',
  schema: stdio,
  uniqueKeys: names,
  check(written, context) {
    checkAll(written, context);
  },
  part: (written, { report, environment }): { mcpServers: McpServer[] } => ({
    mcpServers: written.map(
      ({ manifest, value }): McpStdio => ({
        kind: 'stdio',
        ...baseOf(value, manifest, report),
        command: value.command,
        args: value.args,
        folder: manifest.folder,
        environment: { ...commonVariables(environment), ...value.auth_data?.env },
        perUser: value.auth_data?.auth_level === 'per_user',
        tools: value.tool_settings,
      }),
    ),
  }),
});

/** Without these hardly a program starts, and they hold no secret. */
function commonVariables(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TMPDIR'].flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

interface WrittenBase {
  name: string;
  description: string;
  collaborators: readonly { subject: string; role_id: string }[];
  tool_access: McpServerBase['toolAccess'];
  cost_per_call: number | undefined;
  tags: Record<string, unknown>;
}

function baseOf(value: WrittenBase, manifest: Manifest, report: Report): McpServerBase {
  const { name, description, collaborators, tool_access: toolAccess, cost_per_call: cost, tags } = value;
  return {
    name,
    description,
    subjects: collaborators.filter(({ role_id: role }) => MCP_ROLES.has(role)).map(({ subject }) => subject),
    tags: metadataOf(tags, manifest, report),
    ...(toolAccess && { toolAccess }),
    ...(cost !== undefined && { callNanoUsd: cost }),
  };
}

export function tlsOf(written: { reject_unauthorized: boolean; ca_cert?: string | undefined } | undefined) {
  if (written === undefined) return undefined;
  const { reject_unauthorized: rejectUnauthorized, ca_cert: ca } = written;
  return { rejectUnauthorized, ...(ca !== undefined && { ca }) };
}

/** A collaborator whose role gives nothing, and a server that nobody may use. */
export function checkCollaborators(
  collaborators: WrittenBase['collaborators'],
  manifest: Manifest,
  report: Report,
): void {
  for (const [index, { role_id: role }] of collaborators.entries()) {
    if (MCP_ROLES.has(role)) continue;
    warn(report, manifest, ['collaborators', index, 'role_id'], {
      message: `the role \`${role}\` gives nothing here`,
      allowed: [...MCP_ROLES].map((each) => `\`${each}\``).join(', '),
      remedy: didYouMean(nearNames(role, MCP_ROLES)),
    });
  }
  if (collaborators.some(({ role_id: role }) => MCP_ROLES.has(role))) return;
  const message = 'nobody may use this server';
  const remedy = 'Add `{subject: "team:everyone", role_id: mcp-server-user}`, say';
  warn(report, manifest, ['collaborators'], { message, remedy });
}

function checkAll(written: readonly Written<WrittenBase>[], { report }: KindContext): void {
  for (const { manifest, value } of written) checkCollaborators(value.collaborators, manifest, report);
}

function fault(report: Report, manifest: Manifest, path: PathSegment[], message: string): void {
  report.faults.push({ code: 'invalid-value', ...positionOf(manifest, path), message });
}
