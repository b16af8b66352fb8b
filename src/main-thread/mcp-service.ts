import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { AdminAnswer, AdminRoute } from '../operator/admin/admin-route.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type {
  FromMcpThread,
  McpAdminAnswer,
  McpAdminQuestion,
  McpConfiguration,
  McpCounts,
  McpServerState,
  ToMcpThread,
} from '../threads/mcp-messages.ts';
import type { McpRowAnswer, McpRowQuestion } from '../threads/mcp-row-messages.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import type { MainService } from './main-service.ts';

export interface McpServiceOptions {
  readonly entry: URL;
  readonly configuration: () => Configuration;
  readonly relayThreads: Pick<RelayThreads, 'tell'>;
  readonly registry: MetricRegistry;
  readonly log: Log;
  /** What that thread asks of the database. Never rejects. */
  askRows(question: McpRowQuestion): Promise<McpRowAnswer>;
  /** A finished line of that thread's log. */
  writeLine(line: string): void;
}

/** Longer than a process of a server is given to end. */
const CLOSE_MS = 5_000;
const ASK_MS = 5_000;
const NOTHING: McpCounts = { clientSessions: 0, serverSessions: 0, children: 0, calls: [] };

/**
 * The main thread's side of the thread of MCP (mcp-thread/): begins it with the first request, or never, connects each
 * relay thread with it, and begins another where it ended.
 */
export class McpService implements MainService {
  readonly #options: McpServiceOptions;
  readonly #asked = new Map<number, (servers: readonly McpServerState[]) => void>();
  readonly #questions = new Map<number, (answer: McpAdminAnswer) => void>();
  #worker: Worker | undefined;
  #counts = NOTHING;
  #number = 0;
  #closing = false;
  #onClosed: (() => void) | undefined;

  constructor(options: McpServiceOptions) {
    this.#options = options;
    this.#register(options.registry);
  }

  reconfigure(configuration: Configuration): void {
    this.#post({ type: 'reconfigure', configuration: partOf(configuration) });
  }

  hear(message: FromRelayThread): void {
    if (message.type !== 'mcp-wanted' || this.#closing) return;
    const { port1, port2 } = new MessageChannel();
    this.#running().postMessage({ type: 'port', port: port1 } satisfies ToMcpThread, [port1]);
    this.#options.relayThreads.tell(message.thread, { type: 'mcp', port: port2 }, [port2]);
  }

  adminRoutes(): AdminRoute[] {
    const subject = 'Of whom: `user:…` or `virtualaccount:…`.';
    return [
      {
        method: 'GET',
        path: '/admin/mcp-servers',
        summary: 'MCP servers: health, era, tools that were seen, sessions, how users are let in.',
        handle: async () => ({ status: 200, json: { data: (await this.#servers()).map(shown) } }),
      },
      {
        method: 'GET',
        path: '/admin/mcp-connections',
        summary: 'What users brought for MCP servers: consents and values, never secrets. The newest 1000.',
        query: { subject, server: 'For which server.' },
        handle: ({ query }) =>
          this.#adminAnswer({
            kind: 'connections',
            subject: query.get('subject') ?? undefined,
            server: query.get('server') ?? undefined,
          }),
      },
      {
        method: 'DELETE',
        path: '/admin/mcp-connections/:id',
        summary: 'Takes back what a user brought for an MCP server, at its issuer as well where that can be told.',
        success: 204,
        handle: ({ parameters: { id = '' } }) => this.#adminAnswer({ kind: 'disconnect', id }),
      },
      {
        method: 'GET',
        path: '/admin/mcp-sign-ins',
        summary: 'Clients of MCP that users signed in at the gateway. The newest 1000.',
        query: { subject },
        handle: ({ query }) => this.#adminAnswer({ kind: 'sign-ins', subject: query.get('subject') ?? undefined }),
      },
      {
        method: 'DELETE',
        path: '/admin/mcp-sign-ins/:id',
        summary: 'Signs a client out: its refresh token ends now, its access token within `mcp.token_ms`.',
        success: 204,
        handle: ({ parameters: { id = '' } }) => this.#adminAnswer({ kind: 'sign-out', id }),
      },
    ];
  }

  async close(): Promise<void> {
    this.#closing = true;
    const worker = this.#worker;
    if (!worker) return;
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.#post({ type: 'close' });
    await Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]);
    await worker.terminate();
  }

  #running(): Worker {
    if (this.#worker) return this.#worker;
    const { entry, configuration, log } = this.#options;
    const worker = new Worker(entry, { name: 'mcp' });
    worker.on('message', (message: FromMcpThread) => this.#heard(message));
    worker.on('error', (error) => log.error({ error }, 'the thread of MCP failed'));
    worker.on('exit', () => {
      // Relay threads see that their ports closed, and ask for others.
      if (this.#worker === worker) this.#worker = undefined;
      this.#counts = NOTHING;
      this.#onClosed?.();
    });
    this.#worker = worker;
    this.#post({ type: 'begin', data: { configuration: partOf(configuration()) } });
    return worker;
  }

  #heard(message: FromMcpThread): void {
    switch (message.type) {
      case 'counts':
        this.#counts = message.counts;
        return;
      case 'log':
        this.#options.writeLine(message.line);
        return;
      case 'closed':
        this.#onClosed?.();
        return;
      case 'rows': {
        const { number, question } = message;
        void this.#options.askRows(question).then((answer) => this.#post({ type: 'rows', number, answer }));
        return;
      }
      case 'admin':
        this.#questions.get(message.number)?.(message.answer);
        this.#questions.delete(message.number);
        return;
      case 'servers':
        this.#asked.get(message.number)?.(message.servers);
        this.#asked.delete(message.number);
    }
  }

  #askAdmin(question: McpAdminQuestion): Promise<McpAdminAnswer> {
    this.#running();
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#questions.delete(number);
        resolve('away');
      }, ASK_MS);
      this.#questions.set(number, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#post({ type: 'admin', number, question });
    });
  }

  async #adminAnswer(question: McpAdminQuestion): Promise<OrError<AdminAnswer>> {
    const answer = await this.#askAdmin(question);
    if (answer === 'away') return new GatewayError('database_away', { retryAfterMs: 1000 });
    if (answer === 'absent') return new GatewayError('not_found');
    if (answer === 'done') return { status: 204, ...('id' in question && { changed: [question.id] }) };
    return { status: 200, json: { data: answer.data } };
  }

  /** From the manifests alone where the thread has not begun, or does not answer. */
  #servers(): Promise<readonly McpServerState[]> {
    const written = this.#options.configuration().mcpServers.map(({ name, kind, description }) => ({
      name,
      kind,
      description,
      status: 'unknown',
      sessions: 0,
    }));
    if (!this.#worker) return Promise.resolve(written);
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#asked.delete(number);
        resolve(written);
      }, ASK_MS);
      this.#asked.set(number, (servers) => {
        clearTimeout(timer);
        resolve(servers);
      });
      this.#post({ type: 'servers', number });
    });
  }

  #post(message: ToMcpThread): void {
    this.#worker?.postMessage(message);
  }

  /** The names of servers are the configuration's, so these families are bounded. */
  #register(registry: MetricRegistry): void {
    registry.single('gauge', 'mcp_client_sessions', 'Sessions of clients of MCP', () => this.#counts.clientSessions);
    registry.single('gauge', 'mcp_server_sessions', 'Sessions with MCP servers', () => this.#counts.serverSessions);
    registry.single('gauge', 'mcp_server_processes', 'Processes of MCP servers that run', () => this.#counts.children);
    const calls = (value: (call: McpCounts['calls'][number]) => number) => () =>
      this.#counts.calls.map((call) => ({
        labels: { server: call.server, outcome: call.outcome },
        value: value(call),
      }));
    registry.family(
      'counter',
      'mcp_tool_calls_total',
      'Calls of tools that ended',
      calls(({ count }) => count),
    );
    registry.family(
      'counter',
      'mcp_tool_call_seconds_total',
      'Time that calls of tools took, summed up',
      calls(({ ms }) => ms / 1000),
    );
  }
}

function partOf({ server, mcpServers }: Configuration): McpConfiguration {
  return { server, mcpServers };
}

function shown({ reason, era, tools, auth, ...state }: McpServerState): object {
  return { ...state, reason: reason ?? null, era: era ?? null, tools: tools ?? null, auth: auth ?? null };
}
