import { MessageChannel } from 'node:worker_threads';
import { z } from 'zod';
import type { Configuration } from '../config/configuration.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Log } from '../core/log.ts';
import type { AdminAnswer, AdminRoute } from '../operator/admin/admin-route.ts';
import { AgentMetrics } from '../telemetry/agent-metrics.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type {
  FromMcpThread,
  McpAdminQuestion,
  McpConfiguration,
  McpCounts,
  McpServerState,
  ToMcpThread,
} from '../threads/mcp-messages.ts';
import type { McpRowAnswer, McpRowQuestion } from '../threads/mcp-row-messages.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import { threadEntry } from '../threads/thread-entry.ts';
import type { MainService } from './main-service.ts';
import { SideThread } from './side-thread.ts';

export interface McpServiceOptions {
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
type Answer = Extract<FromMcpThread, { number: number }>;
const approval = z.object({ tools: z.array(z.string()).optional() });
const NOTHING: McpCounts = { clientSessions: 0, serverSessions: 0, children: 0, calls: [], changedTools: [] };

/**
 * The main thread's side of the thread of MCP (mcp-thread/). It begins the thread with the first request, connects each
 * relay thread with it, and begins another where it ended.
 */
export class McpService implements MainService {
  readonly #options: McpServiceOptions;
  /** Questions that wait for the thread's answer, by number. */
  readonly #asked = new Map<number, (answer: Answer) => void>();
  readonly #agents: AgentMetrics;
  readonly #thread: SideThread<ToMcpThread, FromMcpThread>;
  #counts = NOTHING;
  #number = 0;

  constructor(options: McpServiceOptions) {
    this.#options = options;
    this.#thread = new SideThread({
      entry: threadEntry('mcp-thread/mcp-thread'),
      name: 'mcp',
      hear: (message) => this.#heard(message),
      onError: (error) => options.log.error({ error }, 'the thread of MCP failed'),
      // Relay threads see that their ports closed, and ask for others.
      onExit: () => {
        this.#counts = NOTHING;
      },
    });
    this.#register(options.registry);
    this.#agents = new AgentMetrics(options.registry);
  }

  reconfigure(configuration: Configuration): void {
    this.#thread.post({ type: 'reconfigure', configuration: partOf(configuration) });
  }

  hear(message: FromRelayThread): void {
    if (message.type === 'agent-over') this.#agents.add(message.run);
    if (message.type !== 'mcp-wanted' || this.#thread.isClosing) return;
    const { port1, port2 } = new MessageChannel();
    this.#begin();
    this.#thread.post({ type: 'port', port: port1 }, [port1]);
    this.#options.relayThreads.tell(message.thread, { type: 'mcp', port: port2 }, [port2]);
  }

  adminRoutes(): AdminRoute[] {
    const subject = 'The user or virtual account: `user:…` or `virtualaccount:…`.';
    return [
      {
        method: 'GET',
        path: '/admin/mcp-servers',
        session: { role: 'viewer', data: 'none' },
        summary:
          'MCP servers: health, era, tools that were seen, those that changed since, sessions, how users are let in.',
        handle: async () => ({ status: 200, json: { data: (await this.#servers()).map(shown) } }),
      },
      {
        method: 'POST',
        path: '/admin/mcp-servers/:name/approve',
        summary: 'Takes tools of an MCP server as they are now, which changed since they were first seen.',
        requestBody: {
          type: 'object',
          properties: { tools: { type: 'array', items: { type: 'string' }, description: 'Absent: all that changed.' } },
        },
        handle: ({ parameters, body }) => this.#approve(parameters['name'] ?? '', body),
      },
      {
        method: 'GET',
        path: '/admin/mcp-connections',
        session: { role: 'viewer', data: 'all' },
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
        session: { role: 'viewer', data: 'all' },
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

  async #approve(server: string, body: unknown): Promise<OrError<AdminAnswer>> {
    if (!this.#options.configuration().mcpServers.some(({ name }) => name === server)) {
      const detail = `There is no MCP server \`${server.slice(0, 128)}\`.`;
      return new GatewayError('not_found', { detail });
    }
    const written = approval.safeParse(body ?? {});
    if (!written.success) {
      return new GatewayError('invalid_parameter', { param: 'tools', detail: '`tools` is a list of names of tools.' });
    }
    const { tools } = written.data;
    this.#begin();
    const answer = await this.#ask((number) => ({ type: 'approve', number, server, tools }));
    if (answer?.type !== 'approved') return new GatewayError('mcp_unavailable', { retryAfterMs: 1000 });
    const { approved } = answer;
    return { status: 200, json: { approved }, changed: approved };
  }

  close(): Promise<void> {
    return this.#thread.close({ type: 'close' }, CLOSE_MS);
  }

  #begin(): void {
    if (this.#thread.isRunning) return;
    this.#thread.begin();
    this.#thread.post({ type: 'begin', data: { configuration: partOf(this.#options.configuration()) } });
  }

  #heard(message: FromMcpThread): void {
    if (message.type === 'counts') this.#counts = message.counts;
    else if (message.type === 'log') this.#options.writeLine(message.line);
    else if (message.type === 'rows') {
      const { number, question } = message;
      void this.#options.askRows(question).then((answer) => this.#thread.post({ type: 'rows', number, answer }));
    } else if (message.type !== 'closed') {
      this.#asked.get(message.number)?.(message);
      this.#asked.delete(message.number);
    }
  }

  async #adminAnswer(question: McpAdminQuestion): Promise<OrError<AdminAnswer>> {
    this.#begin();
    const message = await this.#ask((number) => ({ type: 'admin', number, question }));
    const answer = message?.type === 'admin' ? message.answer : 'away';
    if (answer === 'away') return new GatewayError('database_away', { retryAfterMs: 1000 });
    if (answer === 'absent') return new GatewayError('not_found');
    if (answer === 'done') return { status: 204, ...('id' in question && { changed: [question.id] }) };
    return { status: 200, json: { data: answer.data } };
  }

  /** From the manifests alone where the thread has not begun, or does not answer. */
  async #servers(): Promise<readonly McpServerState[]> {
    const written = this.#options.configuration().mcpServers.map(({ name, kind, description }) => ({
      name,
      kind,
      description,
      status: 'unknown',
      sessions: 0,
    }));
    if (!this.#thread.isRunning) return written;
    const answer = await this.#ask((number) => ({ type: 'servers', number }));
    return answer?.type === 'servers' ? answer.servers : written;
  }

  /** Undefined: it did not answer in time. */
  #ask(message: (number: number) => ToMcpThread): Promise<Answer | undefined> {
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#asked.delete(number);
        resolve(undefined);
      }, ASK_MS);
      this.#asked.set(number, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#thread.post(message(number));
    });
  }

  /** The names of servers are the configuration's, so these families are bounded. */
  #register(registry: MetricRegistry): void {
    registry.single('gauge', 'mcp_client_sessions', 'Sessions of clients of MCP', () => this.#counts.clientSessions);
    registry.single('gauge', 'mcp_server_sessions', 'Sessions with MCP servers', () => this.#counts.serverSessions);
    registry.single('gauge', 'mcp_server_processes', 'Processes of MCP servers that run', () => this.#counts.children);
    registry.family(
      'gauge',
      'mcp_changed_tools',
      'Tools that are no longer what they were when they were approved',
      () => this.#counts.changedTools.map(({ server, count }) => ({ labels: { server }, value: count })),
    );
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

function partOf({ server, mcpServers, identities }: Configuration): McpConfiguration {
  return { server, mcpServers, identities };
}

function shown({ reason, era, tools, changedTools = [], auth, ...state }: McpServerState): object {
  return {
    ...state,
    reason: reason ?? null,
    era: era ?? null,
    tools: tools ?? null,
    changed_tools: changedTools,
    auth: auth ?? null,
  };
}
