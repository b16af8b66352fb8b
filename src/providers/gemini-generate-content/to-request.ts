import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceRequest } from '../../inference/request.ts';
import { jsonBody } from '../base/json-body.ts';
import { modelFamily } from './model-family.ts';
import { thinkingConfig } from './thinking.ts';
import { toConversation } from './to-contents.ts';
import { toolConfig, toTools } from './to-tools.ts';

/** https://ai.google.dev/api/generate-content#method:-models.generatecontent. The model stands in the path. */
export function toRequest(request: InferenceRequest): OrError<{ body: Buffer; headers: readonly string[] }> {
  const others = otherParameters(request.extra);
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

/** Read above, under another name. */
const RENAMED: ReadonlySet<string> = new Set([
  'safety_settings',
  'safetySettings',
  'cached_content',
  'cachedContent',
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
]);

/** Whether a value of a parameter that Gemini has no word for may be left out; what may not is refused by name. */
const LEFT_OUT: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['store', always],
  ['metadata', always],
  ['prompt_cache_key', always],
  ['prompt_cache_retention', always],
  ['prediction', always],
  ['verbosity', always],
  ['service_tier', always],
  ['safety_identifier', always],
  ['logit_bias', (value: unknown) => isObject(value) && Object.keys(value).length === 0],
  ['functions', never],
  ['function_call', never],
]);

function always(): boolean {
  return true;
}
function never(): boolean {
  return false;
}

/** Gemini's own parameters pass as they are; it refuses by name what it does not know. */
function otherParameters(extra: Readonly<Record<string, unknown>>): OrError<Record<string, unknown>> {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(extra)) {
    if (RENAMED.has(key)) continue;
    const mayBeLeftOut = LEFT_OUT.get(key);
    if (mayBeLeftOut === undefined) kept.push([key, value]);
    else if (!mayBeLeftOut(value)) {
      return new GatewayError('unsupported_parameter', { param: key, detail: `Gemini has nothing for \`${key}\`.` });
    }
  }
  return Object.fromEntries(kept);
}

/** https://ai.google.dev/gemini-api/docs/structured-output */
function responseFormat({ responseFormat: format }: InferenceRequest): object {
  if (format === undefined || format.type === 'text') return {};
  if (format.type === 'json') return { responseMimeType: 'application/json' };
  const { $schema: _dialect, ...schema } = objectOf(format.schema) ?? {};
  return { responseMimeType: 'application/json', responseJsonSchema: schema };
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
