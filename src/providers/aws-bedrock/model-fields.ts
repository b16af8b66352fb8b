import type { InferenceRequest } from '../../inference/request.ts';
import { forcesTools } from '../anthropic-messages/forced-tools.ts';
import { modelFamily } from '../anthropic-messages/model-family.ts';
import { toThinking } from '../anthropic-messages/thinking.ts';
import type { TranslationTarget } from '../provider.ts';

/** What Converse has no word for goes into a field that each vendor's models read in their own way. */
export interface ModelFields {
  readonly maxOutputTokens: number | undefined;
  readonly sampling: { temperature?: number | undefined; topP?: number | undefined };
  readonly additional: Record<string, unknown>;
  /** Understands `outputConfig.textFormat`. */
  readonly structuredOutputs: boolean;
  /** Refuses a request that demands a call. */
  readonly unforceable?: boolean;
}

/** ARNs that say which model they stand for. Those of application profiles, imported and provisioned models do not. */
const TELLING_ARN = /:(foundation-model|inference-profile)\//;

/**
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html. Where the id tells no model, the name that
 * the operator gave it may.
 */
export function modelFields(asked: InferenceRequest, target: Pick<TranslationTarget, 'id'>): ModelFields {
  const request = { ...asked, model: tellingName(asked.model, target) };
  const { model, temperature, topP, topK, maxOutputTokens } = request;
  if (/claude/.test(model)) return claude(request);
  const sampling = { temperature, topP };
  if (/nova/.test(model)) {
    return { maxOutputTokens, sampling, additional: nova(request), structuredOutputs: true };
  }
  const additional: Record<string, unknown> = {};
  if (topK !== undefined) additional['top_k'] = topK;
  Object.assign(additional, effortField(model, request.reasoning?.effort));
  return { maxOutputTokens, sampling, additional, structuredOutputs: true };
}

function tellingName(model: string, { id }: Pick<TranslationTarget, 'id'>): string {
  return model.startsWith('arn:') && !TELLING_ARN.test(model) ? id : model;
}

const OTHER_VENDOR =
  /(^|[./])(ai21|amazon|cohere|deepseek|google|meta|minimax|mistral|moonshot(ai)?|nvidia|openai|qwen|writer|zai)\./;

/**
 * How a model takes cache points: Claude with a lifetime, Nova without one. Those of other vendors refuse a request with
 * any; a name that tells no vendor may stand for Claude.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
 */
export function cachePoints(model: string, target: Pick<TranslationTarget, 'id'>): 'with-ttl' | 'plain' | 'none' {
  const name = tellingName(model, target);
  if (/nova/.test(name)) return 'plain';
  return !/claude/.test(name) && OTHER_VENDOR.test(name) ? 'none' : 'with-ttl';
}

/** Whether it may be Claude, whose signed reasoning no model of another vendor takes. */
export function mayBeClaude(model: string, target: Pick<TranslationTarget, 'id'>): boolean {
  const name = tellingName(model, target);
  return /claude/.test(name) || !(/nova/.test(name) || OTHER_VENDOR.test(name));
}

/** Each vendor has its own word for it, and refuses others; of models that are not named here the effort cannot be set. */
function effortField(model: string, effort: string | undefined): object | undefined {
  if (effort === undefined) return undefined;
  if (/gpt-oss|kimi|gpt-5\.[0-5]/.test(model)) return { reasoning_effort: effort };
  if (/gpt-\d/.test(model)) return { reasoning: { effort: effort === 'minimal' ? 'low' : effort } };
  if (!/deepseek.*v3/.test(model) || effort === 'none') return undefined;
  return { reasoning_config: effort === 'minimal' ? 'low' : /low|medium/.test(effort) ? effort : 'high' };
}

/** As the Messages API, whose fields Claude's models take on Bedrock too. */
function claude(request: InferenceRequest): ModelFields {
  const family = modelFamily(request.model);
  const { temperature, topP, topK } = request;
  // Where the client set no bound Bedrock's own stands, but a budget to think must fit below it.
  const asked = toThinking(request, family, request.maxOutputTokens ?? family.maxOutputTokens);
  const { effort } = asked;
  const thinking = family.forcedTools === 'bedrock-unthinking' && forcesTools(request) ? undefined : asked.thinking;
  const thinks = thinking?.budget_tokens !== undefined;
  const additional: Record<string, unknown> = {};
  if (thinking) additional['thinking'] = thinking;
  if (effort) additional['output_config'] = { effort };
  const sampled = family.sampling !== 'none' && thinking === undefined;
  if (sampled && topK !== undefined) additional['top_k'] = topK;
  return {
    maxOutputTokens: request.maxOutputTokens ?? (thinks ? family.maxOutputTokens : undefined),
    sampling: sampled
      ? {
          temperature: temperature === undefined ? undefined : Math.min(temperature, 1),
          topP: family.sampling === 'one' && temperature !== undefined ? undefined : topP,
        }
      : {},
    additional,
    structuredOutputs: family.structuredOutputs,
    unforceable: family.forcedTools === 'never',
  };
}

/** https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html */
function nova({ topK, reasoning }: InferenceRequest): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (topK !== undefined) fields['inferenceConfig'] = { topK };
  const effort = novaEffort(reasoning);
  if (effort !== undefined) fields['reasoningConfig'] = { type: 'enabled', maxReasoningEffort: effort };
  return fields;
}

function novaEffort(reasoning: InferenceRequest['reasoning']): string | undefined {
  if (reasoning === undefined || reasoning.enabled === false || reasoning.effort === 'none') return undefined;
  const { effort, budgetTokens } = reasoning;
  if (effort === 'minimal') return 'low';
  if (effort === 'xhigh' || effort === 'max') return 'high';
  if (effort !== undefined) return effort;
  if (budgetTokens === undefined) return reasoning.enabled ? 'medium' : undefined;
  if (budgetTokens < 4096) return 'low';
  return budgetTokens < 12_288 ? 'medium' : 'high';
}
