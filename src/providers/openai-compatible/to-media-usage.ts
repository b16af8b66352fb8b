import { countOf, isObject, type JsonObject, objectOf } from '../../codec/json-value.ts';
import { tellsAnything, type Usage } from '../../inference/usage.ts';
import type { RareCounts } from '../../inference/usage-counters.ts';
import { toUsage } from './to-usage.ts';

/*
 * What answers about images and audio tell: `input_tokens` and `output_tokens` with their parts, or seconds. Servers that
 * look alike tell the usage of chat completions instead (Mistral, OpenRouter), which is read as there.
 */

/** https://platform.openai.com/docs/api-reference/images/object: all that is put out is an image where nothing is said. */
export function toImageUsage(usage: unknown, answer: JsonObject): Usage | undefined {
  // An image of vectors is written by another model, which is billed apart.
  const authored = isObject(answer['svg_usage']) ? { otherModelPasses: 1 } : undefined;
  if (!isObject(usage) || countOf(usage['input_tokens']) === undefined) {
    const told = toUsage(usage, answer);
    return authored === undefined ? told : { ...told, rare: { ...told?.rare, ...authored } };
  }
  const input = objectOf(usage['input_tokens_details']);
  const output = objectOf(usage['output_tokens_details']);
  const outputTokens = countOf(usage['output_tokens']);
  const rare: RareCounts = {
    imageInputTokens: countOf(input?.['image_tokens']),
    imageOutputTokens: output === undefined ? outputTokens : countOf(output['image_tokens']),
    ...authored,
  };
  return told(usage, outputTokens, { cacheReadInputTokens: countOf(input?.['cached_tokens']), rare });
}

/**
 * Speech, in the last event of its stream: https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event.
 * All output is audio, and the list price of output is its price.
 */
export function toSpeechUsage(usage: unknown, answer: JsonObject): Usage | undefined {
  if (!isObject(usage) || countOf(usage['input_tokens']) === undefined) return toUsage(usage, answer);
  return told(usage, countOf(usage['output_tokens']), {});
}

/** Transcripts: https://platform.openai.com/docs/api-reference/audio/json-object; `verbose_json` tells `duration` alone. */
export function toTranscriptUsage(usage: unknown, answer: JsonObject): Usage | undefined {
  const seconds = isObject(usage) && usage['type'] === 'duration' ? countOf(usage['seconds']) : undefined;
  const duration = seconds ?? secondsOf(answer['duration']);
  const rare = duration === undefined ? undefined : { audioInputMs: duration * 1000 };
  if (!isObject(usage) || countOf(usage['input_tokens']) === undefined) {
    const counts = toUsage(usage, answer);
    return rare === undefined ? counts : { ...counts, rare: { ...rare, ...counts?.rare } };
  }
  const input = objectOf(usage['input_token_details']);
  return told(usage, countOf(usage['output_tokens']), { audioInputTokens: countOf(input?.['audio_tokens']), rare });
}

function told(usage: JsonObject, outputTokens: number | undefined, more: Usage): Usage | undefined {
  const counts: Usage = { inputTokens: countOf(usage['input_tokens']), outputTokens, ...more };
  // OpenRouter says its price beside.
  const providerCostUsd = countOf(usage['cost']);
  if (providerCostUsd !== undefined) counts.providerCostUsd = providerCostUsd;
  return tellsAnything(counts) ? counts : undefined;
}

/** Some write it as text: `"duration": "8.47"`. */
function secondsOf(duration: unknown): number | undefined {
  return countOf(typeof duration === 'string' && duration !== '' ? Number(duration) : duration);
}
