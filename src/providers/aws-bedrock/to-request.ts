import { objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { changedMarkers } from '../../inference/cache-marker.ts';
import type { InferenceRequest, Message } from '../../inference/request.ts';
import { forcesTools, unforceable } from '../anthropic-messages/forced-tools.ts';
import { outputSchema } from '../anthropic-messages/output-schema.ts';
import { jsonBody } from '../base/json-body.ts';
import { type OwnParameters, ownParameters } from '../base/openai-parameters.ts';
import type { TranslationTarget } from '../provider.ts';
import { cachePoints, type ModelFields, mayBeClaude, modelFields } from './model-fields.ts';
import { toConversation } from './to-messages.ts';
import { toolConfig } from './to-tools.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. The model stands in the path. */
export function toRequest(
  asked: InferenceRequest,
  target: TranslationTarget,
): OrError<{ body: Buffer; headers: readonly string[] }> {
  const points = cachePoints(asked.model, target);
  const request = points === 'with-ttl' ? asked : changedMarkers(asked, () => (points === 'plain' ? PLAIN : undefined));
  const others = otherParameters(request.extra);
  if (others instanceof GatewayError) return others;
  const messages = mayBeClaude(asked.model, target) ? request.messages : request.messages.map(withoutReasoning);
  const conversation = toConversation(messages);
  if (conversation instanceof GatewayError) return conversation;
  const tools = toolConfig(request);
  if (tools instanceof GatewayError) return tools;
  const fields = modelFields(request, target);
  if (fields.unforceable === true && forcesTools(request)) return unforceable();
  const output = outputConfig(request, fields);
  if (output instanceof GatewayError) return output;
  const additional = { ...fields.additional, ...others.additional };
  const body = {
    messages: conversation.messages,
    system: conversation.system.length > 0 ? conversation.system : undefined,
    inferenceConfig: ifAny({
      maxTokens: fields.maxOutputTokens,
      ...fields.sampling,
      stopSequences: stopSequences(request.stop),
    }),
    toolConfig: tools,
    outputConfig: output,
    serviceTier: serviceTier(request.extra['service_tier']),
    requestMetadata: requestMetadata(request),
    ...others.own,
    additionalModelRequestFields: Object.keys(additional).length > 0 ? additional : undefined,
  };
  return { body: jsonBody(body), headers: [] };
}

/** A turn of Claude's, for a model that would refuse what Claude signed. */
function withoutReasoning(message: Message): Message {
  const parts = message.parts.filter(({ type }) => type !== 'reasoning' && type !== 'redacted-reasoning');
  return parts.length === message.parts.length ? message : { ...message, parts };
}

/** A cache marker without a lifetime. */
const PLAIN = { type: 'ephemeral' };

function ifAny<T extends object>(fields: T): T | undefined {
  return Object.values(fields).some((value) => value !== undefined) ? fields : undefined;
}

function stopSequences(stop: readonly string[] | undefined): string[] | undefined {
  const sequences = stop?.filter((text) => text.trim() !== '');
  return sequences?.length ? sequences : undefined;
}

/** Converse's own parameters, which a client may send beside OpenAI's. */
const OWN: ReadonlySet<string> = new Set([
  'guardrailConfig',
  'performanceConfig',
  'promptVariables',
  'requestMetadata',
  'additionalModelResponseFieldPaths',
]);
const PARAMETERS: OwnParameters = {
  vendor: 'Bedrock',
  read: new Set(['service_tier', 'metadata', 'safety_identifier']),
  // Hints on how to sample: OpenAI promises no exact effect either.
  harmless: new Set(['frequency_penalty', 'presence_penalty', 'seed']),
};

interface Others {
  own: Record<string, unknown>;
  /** Everything else goes to the model as it is: `anthropic_beta` and the like. */
  additional: Record<string, unknown>;
}

function otherParameters(extra: Readonly<Record<string, unknown>>): OrError<Others> {
  const kept = ownParameters(extra, PARAMETERS);
  if (kept instanceof GatewayError) return kept;
  const own: Record<string, unknown> = {};
  const additional: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(kept)) {
    if (key === 'additionalModelRequestFields') Object.assign(additional, objectOf(value));
    else if (OWN.has(key)) own[key] = value;
    else additional[key] = value;
  }
  return { own, additional };
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html: the schema is a text. */
function outputConfig({ responseFormat }: InferenceRequest, fields: ModelFields): OrError<object | undefined> {
  if (responseFormat === undefined || responseFormat.type === 'text') return undefined;
  if (responseFormat.type === 'json-schema' && fields.structuredOutputs) {
    const schema = JSON.stringify(outputSchema(objectOf(responseFormat.schema) ?? {}));
    return { textFormat: { type: 'json_schema', structure: { jsonSchema: { name: responseFormat.name, schema } } } };
  }
  const detail =
    responseFormat.type === 'json'
      ? 'Bedrock has no free JSON mode; send a json_schema.'
      : 'This model has no structured outputs; Claude models have them since 4.5.';
  return new GatewayError('unsupported_parameter', { param: 'response_format', detail });
}

/** Tiers that Bedrock has too; OpenAI's other ones fall back to the account's default. */
function serviceTier(value: unknown): object | undefined {
  const tier = stringOf(value);
  return tier === 'default' || tier === 'flex' || tier === 'priority' || tier === 'reserved'
    ? { type: tier }
    : undefined;
}

/** OpenAI's free tags are Bedrock's too, as far as they are texts of at most 256 characters. */
function requestMetadata({ extra }: InferenceRequest): Record<string, string> | undefined {
  const tags: Record<string, string> = {};
  for (const [key, value] of Object.entries(objectOf(extra['metadata']) ?? {}).slice(0, 16)) {
    if (typeof value === 'string' && value.length <= 256 && key.length <= 256) tags[key] = value;
  }
  return Object.keys(tags).length > 0 ? tags : undefined;
}
