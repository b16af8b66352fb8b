import type { SpanNames } from '../config/server/otel.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import type { AttributeSink } from './span-sink.ts';

/*
 * Names of attributes, in one place, because the conventions still change. GenAI conventions of May 2026
 * (https://github.com/open-telemetry/semantic-conventions-genai, status Development), OpenInference
 * (https://github.com/Arize-ai/openinference), and the `tfy.*` names of TrueFoundry's gateway.
 */

/** By the path of the route; another path is named after itself. */
const OPERATIONS: Readonly<Record<string, { readonly genAi: string; readonly tfy: string; readonly kind: string }>> = {
  '/chat/completions': { genAi: 'chat', tfy: 'ChatCompletion', kind: 'LLM' },
  '/messages': { genAi: 'chat', tfy: 'ChatCompletion', kind: 'LLM' },
  '/responses': { genAi: 'chat', tfy: 'ChatCompletion', kind: 'LLM' },
  '/agent/chat/completions': { genAi: 'invoke_agent', tfy: 'AgentResponse', kind: 'AGENT' },
  '/completions': { genAi: 'text_completion', tfy: 'Completion', kind: 'LLM' },
  '/embeddings': { genAi: 'embeddings', tfy: 'Embedding', kind: 'EMBEDDING' },
  '/rerank': { genAi: 'rerank', tfy: 'Rerank', kind: 'RERANKER' },
};

/** `gen_ai.provider.name` where the conventions name it otherwise than our kinds of account. */
const PROVIDERS: Readonly<Record<string, string>> = {
  'aws-bedrock': 'aws.bedrock',
  'aws-bedrock-mantle': 'aws.bedrock',
  'azure-openai': 'azure.ai.openai',
  'azure-foundry': 'azure.ai.inference',
  'google-gemini': 'gcp.gemini',
  'google-vertex': 'gcp.vertex_ai',
  'mistral-ai': 'mistral_ai',
  'moonshot-ai': 'moonshot_ai',
  'perplexity-ai': 'perplexity',
  xai: 'x_ai',
};

export function operationOf({ path }: RecordView): { genAi: string; tfy: string; kind: string } {
  return OPERATIONS[path] ?? { genAi: path.split('/').at(-1) || 'request', tfy: 'Model', kind: 'LLM' };
}

/** The span of the exchange tells what the client asked, as HTTP and as the product tells it. */
export function exchangeAttributes(record: RecordView, into: AttributeSink): void {
  into
    .whole('http.response.status_code', record.status)
    .whole('http.request.body.size', record.bytesIn)
    .whole('http.response.body.size', record.bytesOut)
    .text('error.type', record.errorCode)
    .text('sluice.exchange_id', record.id)
    .text('sluice.request_id', record.requestId)
    .double('sluice.overhead_ms', record.overheadMs)
    .text('tfy.request.created_by_subject', record.subject)
    .text('tfy.error_message', record.errorDetail);
  const { method, path, model, teamsJson, metadataJson, rulesJson, cacheJson } = record;
  const parts = [method, path, model, teamsJson, metadataJson, rulesJson, cacheJson];
  into.group(parts, (group) => requestAttributes(record, group));
}

/** What was asked, and what rules said to it. */
function requestAttributes(record: RecordView, into: AttributeSink): void {
  into
    .text('http.request.method', record.method)
    .text('http.route', record.path)
    .text('tfy.span_type', operationOf(record).tfy)
    .text('tfy.request.model_name', record.model)
    .text('tfy.request.created_by_subject_teams', record.teamsJson)
    .text('tfy.request.metadata', record.metadataJson);
  if (record.cacheJson !== undefined) {
    const { status, type, from, saved_nano_usd: saved }: CacheSaid = JSON.parse(record.cacheJson);
    into.text('tfy.cache.status', status).text('tfy.cache.type', type).text('sluice.cache.from', from);
    into.double('sluice.cache.saved_usd', saved === undefined ? undefined : saved / 1e9);
  }
  for (const [rule, ids] of appliedRules(record)) into.texts(rule, ids);
  if (record.metadataJson !== undefined) {
    const metadata: Record<string, unknown> = JSON.parse(record.metadataJson);
    for (const [key, value] of Object.entries(metadata)) into.text(`sluice.metadata.${key}`, String(value));
  }
}

/** See ExchangeRecord.cacheJson. */
interface CacheSaid {
  readonly status: string;
  readonly type: string;
  readonly from?: string;
  readonly saved_nano_usd?: number;
}

/** By the key in `x-tfy-applied-rules`, whose values are lists of rule ids. */
const RULE_NAMES: Readonly<Record<string, string>> = {
  ratelimit: 'applied_ratelimit_rule_ids',
  budget: 'applied_budget_rule_ids',
};

function appliedRules({ rulesJson }: RecordView): [string, string[]][] {
  if (rulesJson === undefined) return [];
  const rules: Record<string, unknown> = JSON.parse(rulesJson);
  const routed = routedBy(rules['routing']);
  const limits = Object.entries(RULE_NAMES).flatMap(([key, name]): [string, string[]][] => {
    const ids = rules[key];
    return Array.isArray(ids) ? [[name, ids.map(String)]] : [];
  });
  return routed === undefined ? limits : [...limits, ['applied_loadbalance_rule_ids', [routed]]];
}

/** The rule that chose the target, else the virtual model that was asked. */
function routedBy(routing: unknown): string | undefined {
  if (typeof routing !== 'object' || routing === null) return undefined;
  const { rule, model } = routing as { rule?: unknown; model?: unknown };
  return String(rule ?? model);
}

/**
 * The attempt that answered, or failed last. GenAI attributes stand on attempts alone: back ends count each as a
 * call.
 */
export function answerAttributes(record: RecordView, names: SpanNames, into: AttributeSink): void {
  const { usage } = record;
  const cost = record.costNanoUsd === undefined ? undefined : record.costNanoUsd / 1e9;
  targetAttributes(record, record.target, names, into);
  into
    .double('tfy.model.metric.latency_in_ms', record.upstreamMs)
    .double('tfy.model.metric.time_to_first_token_in_ms', record.firstTokenMs)
    .double('tfy.model.metric.inter_token_latency_in_ms', record.interTokenMs)
    .whole('tfy.model.metric.input_tokens', usage?.inputTokens)
    .whole('tfy.model.metric.output_tokens', usage?.outputTokens)
    .whole('tfy.model.metric.cache_read_input_tokens', usage?.cacheReadInputTokens)
    .whole('tfy.model.metric.cache_creation_input_tokens', usage?.cacheCreationInputTokens)
    .double('tfy.model.metric.cost_in_usd', cost)
    .text('error.type', record.errorCode);
  if (names !== 'openinference') {
    into
      .whole('gen_ai.usage.input_tokens', usage?.inputTokens)
      .whole('gen_ai.usage.output_tokens', usage?.outputTokens)
      .whole('gen_ai.usage.cache_read.input_tokens', usage?.cacheReadInputTokens)
      .whole('gen_ai.usage.cache_creation.input_tokens', usage?.cacheCreationInputTokens)
      .whole('gen_ai.usage.reasoning.output_tokens', usage?.reasoningOutputTokens)
      .double('gen_ai.response.time_to_first_chunk', record.firstTokenMs && record.firstTokenMs / 1000);
  }
  if (names !== 'genai') {
    into
      .whole('llm.token_count.prompt', usage?.inputTokens)
      .whole('llm.token_count.completion', usage?.outputTokens)
      .whole('llm.token_count.total', sum(usage?.inputTokens, usage?.outputTokens))
      .whole('llm.token_count.prompt_details.cache_read', usage?.cacheReadInputTokens)
      .whole('llm.token_count.prompt_details.cache_write', usage?.cacheCreationInputTokens)
      .whole('llm.token_count.completion_details.reasoning', usage?.reasoningOutputTokens)
      .double('llm.cost.total', cost);
  }
}

/** Every attempt has these. `target`: `account/model`. */
export function targetAttributes(
  record: RecordView,
  target: string | undefined,
  names: SpanNames,
  into: AttributeSink,
): void {
  const provider = target === record.target ? record.provider : undefined;
  const { path, stream } = record;
  into.group([path, target, provider, names, stream], (group) => {
    const operation = operationOf(record);
    const model = target?.slice(target.indexOf('/') + 1);
    group
      .text('tfy.span_type', 'Model')
      .text('tfy.model.name', model)
      .text('tfy.model.fqn', target)
      .bool('tfy.model.streaming', stream)
      .text('tfy.model.request_type', operation.tfy);
    if (names !== 'openinference') {
      group
        .text('gen_ai.operation.name', operation.genAi)
        .text('gen_ai.provider.name', provider && (PROVIDERS[provider] ?? provider))
        .text('gen_ai.request.model', model)
        .bool('gen_ai.request.stream', stream);
    }
    if (names !== 'genai') {
      group
        .text('openinference.span.kind', operation.kind)
        .text('llm.model_name', model)
        .text('llm.provider', provider);
    }
  });
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}
