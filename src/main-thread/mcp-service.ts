import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../core/log.ts';
import type { AdminRoute } from '../operator/admin/admin-route.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type {
  FromMcpThread,
  McpConfiguration,
  McpCounts,
  McpServerState,
  ToMcpThread,
} from '../threads/mcp-messages.ts';
import type { FromRelayThread } from '../threads/messages.ts';
import type { RelayThreads } from '../threads/relay-threads.ts';
import type { MainService } from './main-service.ts';

export interface McpServiceOptions {
  readonly entry: URL;
  readonly configuration: () => Configuration;
  readonly relayThreads: Pick<RelayThreads, 'tell'>;
  readonly registry: MetricRegistry;
  readonly log: Log;
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

  /** `GET /admin/mcp-servers`. */
  adminRoute(): AdminRoute {
    return {
      method: 'GET',
      path: '/admin/mcp-servers',
      summary: 'MCP servers: health, era, tools that were seen, sessions.',
      handle: async () => ({ status: 200, json: { data: (await this.#servers()).map(shown) } }),
    };
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
    if (message.type === 'counts') this.#counts = message.counts;
    else if (message.type === 'log') this.#options.writeLine(message.line);
    else if (message.type === 'closed') this.#onClosed?.();
    else {
      this.#asked.get(message.number)?.(message.servers);
      this.#asked.delete(message.number);
    }
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

function shown({ reason, era, tools, ...state }: McpServerState): object {
  return { ...state, reason: reason ?? null, era: era ?? null, tools: tools ?? null };
}
