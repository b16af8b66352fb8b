import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../dialect.ts';

export type Status = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed';

/** What changes of a response while it is made. */
export interface ResponseState {
  readonly id: string;
  readonly createdAt: number;
  readonly model: string;
  readonly status: Status;
  readonly output: readonly object[];
  readonly usage: object | null;
  readonly error?: object;
  readonly incompleteReason?: string | undefined;
}

/** https://platform.openai.com/docs/api-reference/responses/object */
export function responseObject(state: ResponseState, { repeats = {} }: Pick<AnswerContext, 'repeats'>): JsonObject {
  const { status, incompleteReason } = state;
  return {
    id: state.id,
    object: 'response',
    created_at: state.createdAt,
    status,
    background: repeats['background'] ?? false,
    completed_at: status === 'completed' ? Math.max(state.createdAt, Math.floor(Date.now() / 1000)) : null,
    conversation: conversation(repeats['conversation']),
    error: state.error ?? null,
    frequency_penalty: 0,
    incomplete_details: incompleteReason === undefined ? null : { reason: incompleteReason },
    instructions: repeats['instructions'] ?? null,
    max_output_tokens: repeats['max_output_tokens'] ?? null,
    max_tool_calls: repeats['max_tool_calls'] ?? null,
    model: state.model,
    output: state.output,
    parallel_tool_calls: repeats['parallel_tool_calls'] ?? true,
    presence_penalty: 0,
    previous_response_id: repeats['previous_response_id'] ?? null,
    prompt_cache_key: repeats['prompt_cache_key'] ?? null,
    reasoning: { effort: null, summary: null, ...objectOf(repeats['reasoning']) },
    safety_identifier: repeats['safety_identifier'] ?? null,
    service_tier: 'default',
    store: repeats['store'] ?? true,
    temperature: repeats['temperature'] ?? 1,
    text: { format: { type: 'text' }, ...objectOf(repeats['text']) },
    tool_choice: repeats['tool_choice'] ?? 'auto',
    tools: isArray(repeats['tools']) ? repeats['tools'].map(repeatedTool) : [],
    top_logprobs: repeats['top_logprobs'] ?? 0,
    top_p: repeats['top_p'] ?? 1,
    truncation: repeats['truncation'] ?? 'disabled',
    usage: state.usage,
    user: repeats['user'] ?? null,
    metadata: repeats['metadata'] ?? {},
  };
}

/** A function has all of its keys, also those that were not given. */
function repeatedTool(tool: unknown): unknown {
  if (!isObject(tool) || tool['type'] !== 'function') return tool;
  return { description: null, parameters: null, strict: null, ...tool };
}

function conversation(value: unknown): object | null {
  const id = stringOf(value) ?? stringOf(objectOf(value)?.['id']);
  return id === undefined ? null : { id };
}

/**
 * What nobody counted is left out, not made zero; but the two details are required by the form, and SDKs read them without
 * looking. https://platform.openai.com/docs/api-reference/responses/object#responses-object-usage
 */
export function responseUsage(usage: Usage | undefined): object | null {
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens, reasoningOutputTokens } =
    usage ?? {};
  if (inputTokens === undefined && outputTokens === undefined) return null;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cacheReadInputTokens ?? 0, cache_write_tokens: cacheCreationInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningOutputTokens ?? 0 },
    total_tokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
  };
}
