import { z } from 'zod';
import { keyWithDefault, optionalKey, restricting, secretText, text, wholeNumber } from '../scalar-schema.ts';
import { oidc } from './oidc.ts';
import { publicUrl } from './safe-address.ts';
import { gibibyte, type SettingsOf, section } from './section.ts';

export const mcp = section(
  z.object({
    call_ms: keyWithDefault(wholeNumber(1, 86_400_000), 120_000).describe(
      'How long a request to an MCP server may take; each message of the server restarts this time, up to ten times of it.',
    ),
    connect_ms: keyWithDefault(wholeNumber(1, 600_000), 10_000).describe(
      'How long an MCP server may take to connect and to say which protocol it speaks.',
    ),
    session_idle_ms: keyWithDefault(wholeNumber(1000, 86_400_000), 1_800_000).describe(
      'How long an idle session, or an idle process, is kept.',
    ),
    max_sessions: keyWithDefault(wholeNumber(1, 1_000_000), 10_000).describe(
      'Bound of sessions of clients, and of sessions with servers; at the bound the one that was idle longest is closed.',
    ),
    max_message_bytes: keyWithDefault(wholeNumber(4096, gibibyte), 4_194_304).describe(
      'Bound of one message to or from an MCP server, and of the bytes that wait for one client.',
    ),
    max_tools: keyWithDefault(wholeNumber(1, 100_000), 1000).describe('Bound of the tools of one server.'),
    list_ttl_ms: keyWithDefault(wholeNumber(0, 86_400_000), 60_000).describe(
      'How long the lists of a server are cached, where the server does not say.',
    ),
    max_children: keyWithDefault(wholeNumber(0, 10_000), 64).describe('Bound of processes of `mcp-server/stdio`.'),
    code_ms: keyWithDefault(wholeNumber(100, 3_600_000), 60_000).describe(
      'How long one run of code may take, calls of tools included.',
    ),
    code_cpu_ms: keyWithDefault(wholeNumber(10, 600_000), 2000).describe(
      'How much CPU time one run of code may take; waits for tools do not count.',
    ),
    max_code_memory_bytes: keyWithDefault(wholeNumber(16_777_216, gibibyte), 67_108_864).describe(
      'Bound of the memory of one run of code.',
    ),
    max_code_calls: keyWithDefault(wholeNumber(0, 100_000), 100).describe('Bound of the calls of one run of code.'),
    max_code_runs: keyWithDefault(wholeNumber(1, 256), 4).describe(
      'Bound of runs of code at once, each on a thread of its own; more are refused.',
    ),
    on_changed_tool: keyWithDefault(z.enum(['warn', 'refuse']), 'warn').describe(
      'What happens with a tool whose description, schema or hints are not those that were seen first: it is told, or neither listed nor called.',
    ),
    secret: optionalKey(secretText(4096)).describe(
      'Seals sessions and tokens of MCP; the same on all gateways of a cluster. By default made and kept in `data_dir`.',
    ),
    public_url: optionalKey(publicUrl).describe(
      'Where clients reach the listening port, as `https://gateway.example.com`; without it OAuth works for clients of this machine alone.',
    ),
    authorization_servers: keyWithDefault(z.array(text(256)).max(16, { error: 'at most 16 names' }), [
      'sluice',
    ]).describe(
      'Who gives clients of MCP tokens: `sluice`, names of identity providers (which need `public_url`); none: keys alone are taken.',
    ),
    token_ms: keyWithDefault(wholeNumber(60_000, 86_400_000), 900_000).describe(
      'Life of a token that the gateway gives to a client of MCP.',
    ),
    sign_in_ms: keyWithDefault(wholeNumber(60_000, 31_536_000_000), 2_592_000_000).describe(
      'How long such a client stays signed in, at most until the end of the key that it was signed in with.',
    ),
    oidc: restricting(oidc).describe(
      'Sign-in with an identity provider where people sign clients of MCP in, or agree at servers; absent: with keys alone.',
    ),
  }),
);

/** `mcp` of `sluice/server`. Times in milliseconds, sizes in bytes. */
export type McpSettings = SettingsOf<typeof mcp>;
