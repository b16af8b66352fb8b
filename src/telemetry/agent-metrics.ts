import { type Buckets, Histogram } from './histogram.ts';
import type { Labels, MetricRegistry, Sample } from './metric-registry.ts';

/** What one run of an agent came to: told once, when it is over. Times in milliseconds. */
export interface AgentRun {
  readonly durationMs: number;
  readonly reachedLimit: boolean;
  /** The time of each turn of the model. */
  readonly turnMs: readonly number[];
  readonly calls: readonly { readonly server: string; readonly tool: string; readonly ms: number }[];
  /** Until each server told its tools. */
  readonly connectMs: readonly number[];
}

const BUCKETS: Buckets = [
  10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
];
const CALL_BUCKETS: Buckets = [0, 1, 2, 3, 5, 8, 13, 20, 50, 100];
/** Names of tools are chosen by servers; further ones are counted together. */
const MAX_TOOLS = 1_000;
const NO_LABELS: Labels = {};

/** Under the reference product's names, so that its dashboards work. */
export class AgentMetrics {
  readonly #durations = new Histogram(BUCKETS);
  readonly #callsPerRun = new Histogram(CALL_BUCKETS);
  readonly #turns = new Histogram(BUCKETS);
  readonly #tools = new Histogram(BUCKETS);
  readonly #connects = new Histogram(BUCKETS);
  readonly #calls = new Map<string, { readonly labels: Labels; value: number }>();
  #runs = 0;
  #limited = 0;

  constructor(registry: MetricRegistry) {
    registry.single('counter', 'ai_gateway_agent_requests_total', 'Runs of agents that ended', () => this.#runs);
    registry.single(
      'counter',
      'ai_gateway_agent_request_iteration_limit_reached_total',
      'Runs of agents that ended at their limit of turns',
      () => this.#limited,
    );
    registry.family('counter', 'ai_gateway_agent_tool_calls_total', 'Calls of tools by agents', () => [
      ...this.#calls.values(),
    ]);
    const histogram = (name: string, help: string, values: Histogram): void =>
      registry.family('histogram', name, help, () => {
        const samples: Sample[] = [];
        values.collect(name, NO_LABELS, samples);
        return samples;
      });
    histogram('ai_gateway_agent_request_duration_ms', 'Time of a run of an agent, in milliseconds', this.#durations);
    histogram('ai_gateway_agent_request_tool_calls', 'Calls of tools of a run of an agent', this.#callsPerRun);
    histogram('ai_gateway_agent_llm_latency_ms', 'Time of a turn of an agent’s model, in milliseconds', this.#turns);
    histogram('ai_gateway_agent_tool_latency_ms', 'Time of a call of a tool by an agent, in milliseconds', this.#tools);
    histogram(
      'ai_gateway_agent_mcp_connect_latency_ms',
      'Time until an MCP server told an agent its tools, in milliseconds',
      this.#connects,
    );
  }

  add({ durationMs, reachedLimit, turnMs, calls, connectMs }: AgentRun): void {
    this.#runs += 1;
    if (reachedLimit) this.#limited += 1;
    this.#durations.observe(durationMs);
    this.#callsPerRun.observe(calls.length);
    for (const ms of turnMs) this.#turns.observe(ms);
    for (const ms of connectMs) this.#connects.observe(ms);
    for (const { server, tool, ms } of calls) {
      this.#tools.observe(ms);
      this.#count(server, tool);
    }
  }

  #count(server: string, tool: string): void {
    const key = `${server}\0${tool}`;
    const known = this.#calls.get(key);
    if (known) known.value += 1;
    else if (this.#calls.size < MAX_TOOLS || (server === 'other' && tool === 'other')) {
      this.#calls.set(key, { labels: { tool_name: tool, integration_fqn: server }, value: 1 });
    } else this.#count('other', 'other');
  }
}
