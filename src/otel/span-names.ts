import type { SpanNames } from '../config/server/otel.ts';
import type { RecordView } from '../telemetry/exchange-record.ts';
import type { AnyValue, KeyValue } from './otlp-message.ts';

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

/** Attributes that are known; those that are not are left out. */
export class Attributes {
  readonly list: KeyValue[] = [];

  text(key: string, value: string | undefined): this {
    return value === undefined ? this : this.#add(key, { stringValue: value });
  }

  texts(key: string, values: readonly string[]): this {
    if (values.length === 0) return this;
    return this.#add(key, { arrayValue: { values: values.map((stringValue) => ({ stringValue })) } });
  }

  whole(key: string, value: number | undefined): this {
    return value === undefined ? this : this.#add(key, { intValue: String(Math.round(value)) });
  }

  double(key: string, value: number | undefined): this {
    return value === undefined ? this : this.#add(key, { doubleValue: value });
  }

  bool(key: string, value: boolean): this {
    return this.#add(key, { boolValue: value });
  }

  #add(key: string, value: AnyValue): this {
    this.list.push({ key, value });
    return this;
  }
}

/** Of the span of the exchange: what the client asked, as HTTP and as the product tells it. */
export function exchangeAttributes(record: RecordView): Attributes {
  const attributes = new Attributes()
    .text('http.request.method', record.method)
    .text('http.route', record.path)
    .whole('http.response.status_code', record.status)
    .whole('http.request.body.size', record.bytesIn)
    .whole('http.response.body.size', record.bytesOut)
    .text('error.type', record.errorCode)
    .text('sluice.exchange_id', record.id)
    .text('sluice.request_id', record.requestId)
    .double('sluice.overhead_ms', record.overheadMs)
    .text('tfy.span_type', operationOf(record).tfy)
    .text('tfy.request.model_name', record.model)
    .text('tfy.request.created_by_subject', record.subject)
    .text('tfy.request.created_by_subject_teams', record.teamsJson)
    .text('tfy.request.metadata', record.metadataJson)
    .text('tfy.error_message', record.errorDetail);
  if (record.cacheJson !== undefined) {
    const { status, type, from, saved_nano_usd: saved }: CacheSaid = JSON.parse(record.cacheJson);
    attributes.text('tfy.cache.status', status).text('tfy.cache.type', type).text('sluice.cache.from', from);
    attributes.double('sluice.cache.saved_usd', saved === undefined ? undefined : saved / 1e9);
  }
  for (const [rule, ids] of appliedRules(record)) attributes.texts(rule, ids);
  if (record.metadataJson !== undefined) {
    const metadata: Record<string, unknown> = JSON.parse(record.metadataJson);
    for (const [key, value] of Object.entries(metadata)) attributes.text(`sluice.metadata.${key}`, String(value));
  }
  return attributes;
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

/** Of the attempt that answered, or failed last. GenAI attributes stand on attempts alone: back ends count each as a call. */
export function answerAttributes(record: RecordView, names: SpanNames): Attributes {
  const { usage } = record;
  const cost = record.costNanoUsd === undefined ? undefined : record.costNanoUsd / 1e9;
  const attributes = targetAttributes(record, record.target, names)
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
    attributes
      .whole('gen_ai.usage.input_tokens', usage?.inputTokens)
      .whole('gen_ai.usage.output_tokens', usage?.outputTokens)
      .whole('gen_ai.usage.cache_read.input_tokens', usage?.cacheReadInputTokens)
      .whole('gen_ai.usage.cache_creation.input_tokens', usage?.cacheCreationInputTokens)
      .whole('gen_ai.usage.reasoning.output_tokens', usage?.reasoningOutputTokens)
      .double('gen_ai.response.time_to_first_chunk', record.firstTokenMs && record.firstTokenMs / 1000);
  }
  if (names !== 'genai') {
    attributes
      .whole('llm.token_count.prompt', usage?.inputTokens)
      .whole('llm.token_count.completion', usage?.outputTokens)
      .whole('llm.token_count.total', sum(usage?.inputTokens, usage?.outputTokens))
      .whole('llm.token_count.prompt_details.cache_read', usage?.cacheReadInputTokens)
      .whole('llm.token_count.prompt_details.cache_write', usage?.cacheCreationInputTokens)
      .whole('llm.token_count.completion_details.reasoning', usage?.reasoningOutputTokens)
      .double('llm.cost.total', cost);
  }
  return attributes;
}

/** Of any attempt. `target`: `account/model`. */
export function targetAttributes(record: RecordView, target: string | undefined, names: SpanNames): Attributes {
  const { provider } = record;
  const operation = operationOf(record);
  const model = target?.slice(target.indexOf('/') + 1);
  const ofLast = target === record.target && provider !== undefined ? provider : undefined;
  const attributes = new Attributes()
    .text('tfy.span_type', 'Model')
    .text('tfy.model.name', model)
    .text('tfy.model.fqn', target)
    .bool('tfy.model.streaming', record.stream)
    .text('tfy.model.request_type', operation.tfy);
  if (names !== 'openinference') {
    attributes
      .text('gen_ai.operation.name', operation.genAi)
      .text('gen_ai.provider.name', ofLast && (PROVIDERS[ofLast] ?? ofLast))
      .text('gen_ai.request.model', model)
      .bool('gen_ai.request.stream', record.stream);
  }
  if (names !== 'genai') {
    attributes
      .text('openinference.span.kind', operation.kind)
      .text('llm.model_name', model)
      .text('llm.provider', ofLast);
  }
  return attributes;
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}
