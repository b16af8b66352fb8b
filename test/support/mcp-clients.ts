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

/** What the clients of both eras can do, in words of their own. */
export interface TestClient extends AsyncDisposable {
  readonly client: {
    listTools(): Promise<{ tools: readonly { name: string; description?: string }[] }>;
    callTool(params: { name: string; arguments: object }): Promise<Record<string, unknown>>;
    readResource(params: { uri: string }): Promise<{ contents: readonly { text?: string }[] }>;
    getPrompt(params: { name: string; arguments: Record<string, string> }): Promise<{ messages: readonly unknown[] }>;
    getInstructions(): string | undefined;
    close(): Promise<void>;
  };
  /** Calls a tool without arguments and tells its steps. */
  withProgress(name: string, onStep: (step: number) => void): Promise<unknown>;
}

type Connect = (url: string, options?: ClientOptions) => Promise<TestClient>;

export const CLIENTS: { readonly legacy: Connect; readonly modern: Connect } = {
  legacy: async (url, options) => {
    const connected = await legacyClient(url, options);
    const withProgress: TestClient['withProgress'] = (name, onStep) =>
      connected.client.callTool({ name, arguments: {} }, undefined, { onprogress: ({ progress }) => onStep(progress) });
    return { ...connected, withProgress } as unknown as TestClient;
  },
  modern: async (url, options) => {
    const connected = await modernClient(url, options);
    const withProgress: TestClient['withProgress'] = (name, onStep) =>
      connected.client.callTool({ name, arguments: {} }, { onprogress: ({ progress }) => onStep(progress) });
    return { ...connected, withProgress } as unknown as TestClient;
  },
};
