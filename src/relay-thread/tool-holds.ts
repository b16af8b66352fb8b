import type { McpServer } from '../config/mcp/mcp-servers.ts';
import { GatewayError } from '../core/errors.ts';
import { type Limits, NO_LIMITS, NOTHING_HELD, Refused } from '../limits/admission.ts';
import { toolModel } from '../limits/tool-rules.ts';
import type { McpGateConfiguration, McpHeld, McpHold, ToMcpPort } from '../threads/mcp-messages.ts';
import { type NestedCalls, refusalOf } from './nested-calls.ts';
import { type OpenMcpRequest, settleCall } from './open-mcp-request.ts';

export interface ToolHoldsOptions {
  readonly configuration: McpGateConfiguration;
  /** Limits of tools (limits/tool-rules.ts). */
  limits(configuration: McpGateConfiguration): Limits;
  tell(message: ToMcpPort): void;
  readonly nested: NestedCalls;
}

/** Holds each call of a tool against the limits that name it, before it is made. */
export class ToolHolds {
  readonly #options: ToolHoldsOptions;
  #limits: Limits;
  #costs: ToolCosts;

  constructor(options: ToolHoldsOptions) {
    this.#options = options;
    this.#limits = options.limits(options.configuration);
    this.#costs = new ToolCosts(options.configuration.mcpServers);
  }

  reconfigure(configuration: McpGateConfiguration): void {
    this.#limits = this.#options.limits(configuration);
    this.#costs = new ToolCosts(configuration.mcpServers);
  }

  /** Which of several servers is called, only the thread of MCP knows. */
  isJoint(server: string | undefined): boolean {
    return this.#costs.isJoint(server);
  }

  /** Calls of the server are held when the thread of MCP asks for it. */
  holdsLater(server: string | undefined): boolean {
    return this.#limits !== NO_LIMITS && this.isJoint(server);
  }

  /** A call of a tool whose server is known; undefined: it is none, or is held later. */
  admit(open: OpenMcpRequest, server: string | undefined): ReturnType<Limits['admit']> | undefined {
    const { tool } = open;
    if (server === undefined || tool === undefined || this.isJoint(server)) return undefined;
    open.costNanoUsd = this.#costs.of(server, tool);
    return this.#admission(open, [{ server, tool }], open.costNanoUsd);
  }

  /** The thread of MCP asks whether it may call. Never rejects. */
  async hold(id: number, open: OpenMcpRequest, hold: McpHold): Promise<void> {
    const { tell } = this.#options;
    const { number, called, costNanoUsd, nested } = hold;
    const answer: McpHeld = { type: 'held', id, number };
    let admission: Awaited<ReturnType<Limits['admit']>>;
    try {
      admission = await this.#admission(open, called, costNanoUsd);
    } catch (cause) {
      // A bug of the limits must not let the call pass uncounted.
      admission = new Refused(new GatewayError('internal_error', { cause }));
    }
    if (admission instanceof Refused) {
      tell({ ...answer, refused: refusalOf(admission.error) });
      return;
    }
    if (nested) await this.#options.nested.hold(answer, open, hold, admission);
    else if (open.over) settleCall(admission, undefined);
    else {
      open.admission = admission;
      tell(answer);
    }
  }

  /** `called`: the name that the client used first, that of the tool's own server last. */
  #admission(
    { caller, metadata, bytesIn: bodyBytes }: OpenMcpRequest,
    called: McpHold['called'],
    costNanoUsd: number | undefined,
  ): ReturnType<Limits['admit']> {
    if (this.#limits === NO_LIMITS) return NOTHING_HELD;
    const [model = '', ...names] = called.map(({ server, tool }) => toolModel(server, tool));
    const nothing = { maxOutputTokens: undefined, choices: 1, stream: false, downgradedBy: undefined };
    const target = undefined;
    return this.#limits.admit({ caller, model, names, target, costNanoUsd, bodyBytes, metadata, ...nothing });
  }
}

/** Which servers are made of others, and what a call of a tool costs, as the manifests say. */
class ToolCosts {
  readonly #servers: ReadonlyMap<string, McpServer>;

  constructor(servers: readonly McpServer[]) {
    this.#servers = new Map(servers.map((server) => [server.name, server]));
  }

  /** Whether the server is made of others: only the thread of MCP knows whose tool a name means. Undefined: all servers. */
  isJoint(server: string | undefined): boolean {
    return server === undefined || this.#servers.get(server)?.kind === 'virtual';
  }

  /** Integer nano-dollars; undefined: no price is known. */
  of(name: string, tool: string): number | undefined {
    const server = this.#servers.get(name);
    if (!server) return undefined;
    const own = 'tools' in server ? server.tools : 'operations' in server ? server.operations : [];
    return own.find((each) => each.name === tool)?.callNanoUsd ?? server.callNanoUsd;
  }
}
