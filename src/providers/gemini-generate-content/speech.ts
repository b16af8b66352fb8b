import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { SpeechRequest } from '../../inference/speech.ts';
import { jsonBody } from '../base/json-body.ts';
import { noSuchFormat, nothingFor } from '../base/speech.ts';
import type { Wire } from '../provider.ts';
import { fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { toUsage } from './to-usage.ts';

const PROVIDER = 'Gemini';
/** It puts out samples; what is not named is a WAV file of them. */
const FORMATS = ['wav', 'pcm'];

/** https://ai.google.dev/gemini-api/docs/speech-generation */
export const geminiSpeechWire: Wire = {
  name: 'gemini-speech',
  operation: 'speech',
  framing: 'none',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }) => `/${modelId.includes('/') ? modelId : `models/${modelId}`}:generateContent`,
  toUsage,
  toError,
  translation: {
    toRequest({ text, voice, format, formatIsNamed, speed, extra }: SpeechRequest) {
      if (formatIsNamed && !FORMATS.includes(format)) return noSuchFormat(PROVIDER, format, FORMATS);
      if (speed !== undefined && speed !== 1) return nothingFor(PROVIDER, 'speed');
      const { instructions, generationConfig, ...others } = extra;
      const said = stringOf(instructions);
      const voiceConfig = { prebuiltVoiceConfig: { voiceName: voice } };
      const body = {
        // It takes its directions from the text.
        contents: [{ role: 'user', parts: [{ text: said ? `${said}: ${text}` : text }] }],
        generationConfig: {
          responseModalities: ['AUDIO'],
          ...(voice && { speechConfig: { voiceConfig } }),
          ...objectOf(generationConfig),
        },
        ...others,
      };
      return { body: jsonBody(body), headers: [] };
    },
    fromResponse(body) {
      const events = fromResponse(body);
      if (events instanceof GatewayError) return events;
      return events.flatMap((event): InferenceEvent[] => {
        if (event.type !== 'extension' || event.key !== 'inline_data' || !isArray(event.value)) return [event];
        return event.value.filter(isObject).map((each) => ({
          type: 'audio',
          mediaType: stringOf(each['mime_type']) ?? 'audio/l16',
          base64: stringOf(each['data']) ?? '',
        }));
      });
    },
  },
};
