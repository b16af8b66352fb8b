import { isArray, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { type OwnParameters, ownParameters } from '../base/openai-parameters.ts';
import { modelFamily } from './model-family.ts';
import { thinkingConfig } from './thinking.ts';
import { toConversation } from './to-contents.ts';
import { toolConfig, toTools } from './to-tools.ts';

/** https://ai.google.dev/api/generate-content#method:-models.generatecontent. The model stands in the path. */
export function toRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const others = ownParameters(request.extra, PARAMETERS);
  if (others instanceof GatewayError) return others;
  const family = modelFamily(request.model);
  const conversation = toConversation(request.messages, family);
  if (conversation instanceof GatewayError) return conversation;
  const tools = toTools(request);
  if (tools instanceof GatewayError) return tools;
  const { extra } = request;
  const body = {
    contents: conversation.contents,
    systemInstruction: conversation.system.length > 0 ? { parts: conversation.system } : undefined,
    tools,
    toolConfig: toolConfig(request),
    safetySettings: extra['safety_settings'] ?? extra['safetySettings'],
    cachedContent: extra['cached_content'] ?? extra['cachedContent'],
    serviceTier: serviceTier(extra['service_tier']),
    ...others,
    generationConfig: {
      temperature: request.temperature,
      topP: request.topP,
      topK: request.topK,
      maxOutputTokens: request.maxOutputTokens,
      stopSequences: request.stop?.filter((text) => text !== ''),
      candidateCount: extra['n'] === 1 ? undefined : extra['n'],
      seed: extra['seed'],
      presencePenalty: extra['presence_penalty'],
      frequencyPenalty: extra['frequency_penalty'],
      responseLogprobs: extra['logprobs'] === true ? true : undefined,
      logprobs: extra['logprobs'] === true ? extra['top_logprobs'] : undefined,
      ...responseFormat(request),
      responseModalities: modalities(extra['modalities']),
      speechConfig: speechConfig(extra['audio']),
      thinkingConfig: thinkingConfig(request, family),
      ...objectOf(extra['generation_config'] ?? extra['generationConfig']),
    },
  };
  return { body: jsonBody(body), headers: [] };
}

/** Gemini's own parameters pass as they are. */
const PARAMETERS: OwnParameters = {
  vendor: 'Gemini',
  read: new Set([
    'safety_settings',
    'safetySettings',
    'cached_content',
    'cachedContent',
    'service_tier',
    'generation_config',
    'generationConfig',
    'n',
    'seed',
    'presence_penalty',
    'frequency_penalty',
    'logprobs',
    'top_logprobs',
    'modalities',
    'audio',
    'web_search_options',
  ]),
  harmless: new Set(['metadata', 'safety_identifier']),
};

/** https://ai.google.dev/gemini-api/docs/structured-output */
function responseFormat({ responseFormat: format }: InferenceRequest): object {
  if (format === undefined || format.type === 'text') return {};
  if (format.type === 'json') return { responseMimeType: 'application/json' };
  const { $schema: _dialect, ...schema } = objectOf(format.schema) ?? {};
  return { responseMimeType: 'application/json', responseJsonSchema: schema };
}

/** OpenAI's `default` is Gemini's `standard`; its `auto` leaves the choice to the provider, as saying nothing does. */
function serviceTier(value: unknown): string | undefined {
  if (value === 'default') return 'standard';
  return value === 'flex' || value === 'priority' ? value : undefined;
}

function modalities(value: unknown): string[] | undefined {
  if (!isArray(value)) return undefined;
  const names = value.flatMap((name) => (typeof name === 'string' ? [name.toUpperCase()] : []));
  return names.length === 1 && names[0] === 'TEXT' ? undefined : names;
}

/** OpenAI's `audio: {voice, format}`: Gemini takes a voice by name, and speaks PCM. */
function speechConfig(audio: unknown): object | undefined {
  const voiceName = stringOf(objectOf(audio)?.['voice']);
  return voiceName === undefined ? undefined : { voiceConfig: { prebuiltVoiceConfig: { voiceName } } };
}
