import type { McpServer } from '../../config/mcp/mcp-servers.ts';
import type { McpSettings } from '../../config/server/mcp.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { Log } from '../../core/log.ts';
import { compileSubjects } from '../../policy/subject-match.ts';
import type { McpConfiguration } from '../../threads/mcp-messages.ts';
import { CodeRuns } from '../code/code-runs.ts';
import { Credentials, type UserCredentials } from '../upstream/credentials.ts';
import type { HttpContext } from '../upstream/http-call.ts';
import { FinderServer } from './finder-server.ts';
import { JointServer } from './joint-server.ts';
import { LeafServer } from './leaf-server.ts';
import { OpenApiServer } from './openapi-server.ts';
import type { Part } from './parts.ts';
import { RemoteServer } from './remote-server.ts';
import type { CallContext, Served } from './served.ts';
import type { ServerHost } from './server-host.ts';
import { StdioServer } from './stdio-server.ts';
import type { TaskIds } from './task-ids.ts';
import { ToolIndex } from './tool-index.ts';
import type { ToolPins } from './tool-pins.ts';
import { ToolPolicy } from './tool-policy.ts';

export interface RegistryOptions {
  readonly log: Log;
  readonly http: HttpContext;
  readonly side: HttpClient;
  readonly users: UserCredentials;
  readonly pins: ToolPins;
  readonly tasks: TaskIds;
  /** The entry of the thread that runs code of models. */
  readonly codeEntry: URL;
}

interface Registered {
  readonly manifest: McpServer;
  readonly served: Served;
}

/** Every server of the configuration by its name. One whose manifest a reload leaves as it is keeps its sessions. */
export class ServerRegistry implements ServerHost {
  readonly log: Log;
  readonly pins: ToolPins;
  readonly tasks: TaskIds;
  readonly #options: RegistryOptions;
  readonly #credentials: Credentials;
  #servers = new Map<string, Registered>();
  #settings: McpSettings;
  #children = 0;
  readonly #all: JointServer;
  readonly #index = new ToolIndex();
  readonly #runs: CodeRuns;

  constructor(configuration: McpConfiguration, options: RegistryOptions) {
    this.log = options.log;
    this.pins = options.pins;
    this.tasks = options.tasks;
    this.#options = options;
    this.#settings = configuration.server.mcp;
    const { side: http, users } = options;
    const waitMs = (): number => this.#settings.callMs;
    this.#credentials = new Credentials({ http, users, now: () => Date.now(), waitMs });
    this.#runs = new CodeRuns({ entry: options.codeEntry, settings: () => this.#settings });
    this.#all = new JointServer({
      name: 'all',
      description: 'All servers that you may use.',
      kind: 'all',
      mayUse: () => true,
      // Those that are made of others would give the same tools twice.
      parts: (context) => this.allowed(context).flatMap((server) => (server.kind === 'virtual' ? [] : { server })),
      maxTools: () => this.#settings.maxTools,
    });
    this.reconfigure(configuration);
  }

  settings(): McpSettings {
    return this.#settings;
  }

  /** Every server that somebody may use, as one. */
  get all(): Served {
    return this.#all;
  }

  /** Undefined: there is none, or it is not for this caller, which looks the same. */
  find(name: string, context: Pick<CallContext, 'subjects'>): Served | undefined {
    const served = this.#servers.get(name)?.served;
    return served?.mayUse(context) ? served : undefined;
  }

  allowed(context: Pick<CallContext, 'subjects'>): Served[] {
    return this.list().filter((served) => served.mayUse(context));
  }

  list(): Served[] {
    return [...this.#servers.values()].map(({ served }) => served);
  }

  /** As they are configured, of those that this caller may use. */
  manifests(context: Pick<CallContext, 'subjects'>): McpServer[] {
    return [...this.#servers.values()].flatMap(({ manifest, served }) => (served.mayUse(context) ? manifest : []));
  }

  manifest(name: string): McpServer | undefined {
    return this.#servers.get(name)?.manifest;
  }

  /** The origin of a server's address; undefined: it has none. */
  originOf(name: string): string | undefined {
    const manifest = this.manifest(name);
    return manifest && 'url' in manifest ? new URL(manifest.url).origin : undefined;
  }

  /** The server itself, or those that it is made of, as far as this caller may use them. */
  behind(name: string, context: Pick<CallContext, 'subjects'>): McpServer[] {
    const found = new Map<string, McpServer>();
    const seen = new Set<string>();
    const add = (each: string): void => {
      if (seen.has(each) || !this.find(each, context)) return;
      seen.add(each);
      const manifest = this.manifest(each);
      if (manifest?.kind === 'virtual') for (const part of manifest.servers) add(part.name);
      else if (manifest) found.set(each, manifest);
    };
    add(name);
    return [...found.values()];
  }

  reconfigure({ mcpServers, server }: McpConfiguration): void {
    this.#settings = server.mcp;
    const before = this.#servers;
    this.#servers = new Map();
    for (const manifest of mcpServers) {
      const known = before.get(manifest.name);
      const same = known && JSON.stringify(known.manifest) === JSON.stringify(manifest);
      if (same) before.delete(manifest.name);
      this.#servers.set(manifest.name, same ? known : { manifest, served: this.#make(manifest) });
    }
    for (const { served } of before.values()) served.close();
  }

  admit(): boolean {
    const { maxSessions } = this.#settings;
    if (this.sessions < maxSessions) return true;
    // Whatever rests makes room, the longest first in each server.
    this.#closeIdle(performance.now());
    return this.sessions < maxSessions;
  }

  /** Sessions with servers. */
  get sessions(): number {
    let sum = 0;
    for (const { served } of this.#servers.values()) if (served instanceof LeafServer) sum += served.peers.size;
    return sum;
  }

  /** Processes that run. */
  get children(): number {
    return this.#children;
  }

  closeIdle(): void {
    this.#closeIdle(performance.now() - this.#settings.sessionIdleMs);
  }

  close(): void {
    this.#runs.close();
    for (const { served } of this.#servers.values()) served.close();
  }

  /** What was opened with a credential that is gone. */
  dropOf(identity: string): void {
    for (const { served } of this.#servers.values()) if (served instanceof LeafServer) served.dropOf(identity);
  }

  #closeIdle(beforeMs: number): void {
    for (const { served } of this.#servers.values()) if (served instanceof LeafServer) served.closeIdle(beforeMs);
  }

  #make(manifest: McpServer): Served {
    const { http, users } = this.#options;
    const credentials = this.#credentials;
    switch (manifest.kind) {
      case 'remote':
        return new RemoteServer(manifest, this, { http, credentials });
      case 'openapi':
        return new OpenApiServer(manifest, this, http, credentials);
      case 'stdio':
        return new StdioServer(manifest, this, this, users);
      case 'virtual': {
        const meant = compileSubjects(manifest.subjects);
        const { mode } = manifest;
        const joint = new JointServer({
          name: manifest.name,
          description: manifest.description,
          kind: 'virtual',
          mayUse: meant,
          ...(manifest.toolAccess && { policy: new ToolPolicy(manifest, []) }),
          parts: (context) => manifest.servers.flatMap((part) => this.#part(part, context)),
          maxTools: () => this.#settings.maxTools,
        });
        return mode === 'tools' ? joint : new FinderServer({ joint, mode, index: this.#index, runs: this.#runs });
      }
    }
  }

  #part(
    { name, enabledTools, headers }: Extract<McpServer, { kind: 'virtual' }>['servers'][number],
    context: Pick<CallContext, 'subjects'>,
  ): Part[] {
    const server = this.find(name, context);
    if (!server) return [];
    return [{ server, ...(enabledTools && { enabledTools: new Set(enabledTools) }), ...(headers && { headers }) }];
  }

  enter(): boolean {
    if (this.#children >= this.#settings.maxChildren) return false;
    this.#children += 1;
    return true;
  }

  leave(): void {
    this.#children -= 1;
  }
}
