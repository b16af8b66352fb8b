import { z } from 'zod';
import { accountName, ownedBy } from '../account-schema.ts';
import { type Manifest, positionOf } from '../documents/manifests.ts';
import type { PathSegment } from '../fault.ts';
import { collaborators, MCP_ROLES, mcpAuth, mcpName, partHeaders } from '../mcp/mcp-schema.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { optionalKey, restricting, text } from '../scalar-schema.ts';
import { subjectPattern } from '../subject-schema.ts';
import { type KindContext, type ManifestKind, manifestKind } from './manifest-kind.ts';
import {
  checkCollaborators,
  mcpServerOpenApi,
  mcpServerRemote,
  mcpServerStdio,
  mcpServerVirtual,
  serverUrl,
  virtualPart,
} from './mcp-servers.ts';

/** `provider-account/mcp-server-group`: the older form, whose servers are named `group/name`. */

const subjects = restricting(optionalKey(z.array(subjectPattern)), ['users', 'teams', 'allow']).describe(
  'Who may use this server; absent: whoever may use the group.',
);

const integrations = z.discriminatedUnion('type', [
  z.object({
    type: z
      .literal(['integration/mcp-server/remote', 'integration/mcp-server/custom'])
      .describe('`integration/mcp-server/remote`; anything else is an older name of it.'),
    name: mcpName.describe('Stands behind the group: `group/name`.'),
    description: z.string().max(8192).describe('What it is for.'),
    url: serverUrl.describe('Of the MCP endpoint.'),
    transport: z.enum(['streamable-http', 'sse']).describe('How it is spoken to.'),
    auth_data: mcpAuth,
    auth: mcpAuth.describe('Older name of `auth_data`, which goes before it.'),
    authorized_subjects: subjects,
  }),
  z.object({
    type: z.literal('integration/mcp-server/virtual'),
    name: mcpName.describe('Stands behind the group: `group/name`.'),
    description: z.string().max(8192).describe('What it is for.'),
    servers: restricting(
      z
        .array(
          z.object({
            name: text(129).describe('`group/name` of another server.'),
            enabled_tools: optionalKey(z.array(text(256)).max(10_000)).describe('Which of its tools; absent: all.'),
            auth_data: partHeaders,
          }),
        )
        .min(1)
        .max(100),
    ).describe('Whose tools stand under this name.'),
    authorized_subjects: subjects,
  }),
]);

export const mcpServerGroup = manifestKind({
  type: 'provider-account/mcp-server-group',
  schema: z.object({
    type: z.literal('provider-account/mcp-server-group'),
    name: accountName,
    collaborators,
    ownedBy,
    integrations: z.array(integrations).max(1000).describe('The servers of the group.'),
  }),
  uniqueKeys: [
    { path: 'name', what: 'this name of a group of MCP servers', over: 'mcp server groups' },
    { path: 'integrations[].name', what: 'this name of an MCP server' },
  ],
  check(written, context) {
    for (const { manifest, value } of written) checkCollaborators(value.collaborators, manifest, context.report);
    checkParts(context);
  },
  part: (written): { mcpServers: McpServer[] } => ({
    mcpServers: written.flatMap(({ value: group }) => {
      const members = group.collaborators.filter(({ role_id: role }) => MCP_ROLES.has(role));
      return group.integrations.map((integration): McpServer => {
        const base = {
          name: `${group.name}/${integration.name}`,
          description: integration.description,
          subjects: integration.authorized_subjects ?? members.map(({ subject }) => subject),
          tags: {},
        };
        if (integration.type === 'integration/mcp-server/virtual') {
          return { kind: 'virtual', ...base, mode: 'tools', servers: integration.servers.map(virtualPart) };
        }
        const { url, transport, auth_data: auth, auth: olderAuth } = integration;
        return {
          kind: 'remote',
          ...base,
          url,
          transport,
          auth: auth.type === 'none' ? olderAuth : auth,
          headers: {},
          tools: [],
        };
      });
    }),
  }),
});

interface PlacedVirtual {
  readonly name: string;
  readonly parts: readonly string[];
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

/** What virtual servers are made of must be there, and none may hold itself. */
function checkParts(context: KindContext): void {
  const all = new Set<string>();
  const virtuals = new Map<string, PlacedVirtual>();
  for (const { manifest, value } of context.written(mcpServerVirtual)) {
    const parts = value.servers.map(({ name }) => name);
    virtuals.set(value.name, { name: value.name, parts, manifest, path: ['servers'] });
  }
  for (const { manifest, value } of context.written(mcpServerGroup)) {
    for (const [index, integration] of value.integrations.entries()) {
      const name = `${value.name}/${integration.name}`;
      all.add(name);
      if (integration.type !== 'integration/mcp-server/virtual') continue;
      const parts = integration.servers.map((part) => part.name);
      virtuals.set(name, { name, parts, manifest, path: ['integrations', index, 'servers'] });
    }
  }
  for (const name of namesWritten(context)) all.add(name);
  for (const { name, parts, manifest, path } of virtuals.values()) {
    for (const [index, part] of parts.entries()) {
      const at = positionOf(manifest, [...path, index, 'name']);
      if (!all.has(part)) {
        const allowed = [...all].slice(0, 20).map((each) => `\`${each}\``);
        const message = `there is no MCP server \`${part}\``;
        context.report.faults.push({ code: 'invalid-value', ...at, message, allowed: allowed.join(', ') });
      } else if (reaches(part, name, virtuals, new Set())) {
        const message = `\`${name}\` would hold itself`;
        context.report.faults.push({ code: 'invalid-value', ...at, message, remedy: 'Take it out of one of them' });
      }
    }
  }
}

function reaches(
  from: string,
  wanted: string,
  virtuals: ReadonlyMap<string, PlacedVirtual>,
  seen: Set<string>,
): boolean {
  if (from === wanted) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return (virtuals.get(from)?.parts ?? []).some((part) => reaches(part, wanted, virtuals, seen));
}

function namesWritten(context: KindContext): string[] {
  const named = [
    ...context.written(mcpServerRemote),
    ...context.written(mcpServerVirtual),
    ...context.written(mcpServerOpenApi),
    ...context.written(mcpServerStdio),
  ].map(({ value }) => value.name);
  // A faulty server has its faults told already.
  const faulty = [mcpServerRemote, mcpServerVirtual, mcpServerOpenApi, mcpServerStdio].flatMap((kind) =>
    context.faultyNames(kind as ManifestKind),
  );
  return [...named, ...faulty];
}
