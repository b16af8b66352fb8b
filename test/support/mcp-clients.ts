import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { KEY } from './gateway.ts';

interface ClientOptions {
  readonly key?: string;
  readonly headers?: Record<string, string>;
  /** What it answers to questions for a name; absent: it says that it can answer none. */
  readonly name?: string;
}

/** The official client of the legacy era, connected. */
export async function legacyClient(url: string, options: ClientOptions = {}) {
  const { key = KEY, headers = {}, name } = options;
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: name === undefined ? {} : { elicitation: {} } },
  );
  if (name !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name } }));
  }
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${key}`, ...headers } },
  });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return { client, transport, [Symbol.asyncDispose]: () => client.close() };
}

/** The official client of the modern era, connected. */
export async function modernClient(url: string, options: ClientOptions = {}) {
  const { key = KEY, headers = {}, name } = options;
  const client = new ModernClient(
    { name: 'test', version: '1' },
    {
      capabilities: name === undefined ? {} : { elicitation: { form: {} } },
      versionNegotiation: { mode: { pin: '2026-07-28' } },
    },
  );
  if (name !== undefined) {
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name } }));
  }
  const transport = new ModernTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${key}`, ...headers } },
  });
  await client.connect(transport);
  return { client, transport, [Symbol.asyncDispose]: () => client.close() };
}

/** The text of a tool's result. */
export function textOf(result: unknown): string {
  const { content } = result as { content: readonly { type: string; text?: string }[] };
  return content.map(({ text }) => text ?? '').join('\n');
}
