import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { Operation } from '../../inference/operation.ts';
import type { TranscriptionRequest } from '../../inference/transcription.ts';
import { InlineBody } from '../base/inline-data.ts';
import { mediaTypeOf, refusedTimes } from '../base/transcription.ts';
import type { MadeRequest, Wire } from '../provider.ts';
import { fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** A model that listens is asked to write down what it hears: https://ai.google.dev/gemini-api/docs/audio */
function transcriptsWire(name: string, operation: Operation): Wire {
  return {
    name,
    operation,
    framing: 'none',
    method: 'POST',
    contentType: 'application/json',
    forwards: [],
    path: ({ modelId }) => `/${modelId.includes('/') ? modelId : `models/${modelId}`}:generateContent`,
    toUsage,
    toError,
    translation: { toRequest, fromResponse: fromTranscript },
  };
}

export const geminiTranscriptsWires: readonly Wire[] = [
  transcriptsWire('gemini-transcripts', 'transcription'),
  transcriptsWire('gemini-audio-translations', 'audio-translation'),
];

function toRequest(request: TranscriptionRequest): OrError<MadeRequest> {
  const refused = refusedTimes('Gemini', request);
  if (refused) return refused;
  const { audio, language, intoEnglish, extra } = request;
  const [unknown] = extra;
  if (unknown !== undefined) {
    const [param] = unknown;
    return new GatewayError('unsupported_parameter', { param, detail: `Gemini has nothing for \`${param}\`.` });
  }
  const mimeType = mediaTypeOf(request);
  if (mimeType === undefined) {
    const detail = '`file`: Gemini wants to know its media type, and neither its part nor its name tells.';
    return new GatewayError('invalid_parameter', { param: 'file', detail });
  }
  const task = intoEnglish
    ? 'Translate the provided audio into English and respond with only the translation.'
    : 'Transcribe the provided audio and respond with only the transcript text.';
  const text = language === undefined || intoEnglish ? task : `${task} Respond in the ${language} language.`;
  const written = new InlineBody();
  const data = written.base64({ ...audio });
  const parts = [{ text }, { inline_data: { mime_type: mimeType, data } }];
  return { body: written.write({ contents: [{ role: 'user', parts }] }), headers: [] };
}

function fromTranscript(body: Buffer): OrError<InferenceEvent[]> {
  const events = fromResponse(body);
  if (events instanceof GatewayError) return events;
  let text = '';
  const others: InferenceEvent[] = [];
  for (const event of events) {
    if (event.type === 'text') text += event.text;
    else if (event.type === 'usage' || event.type === 'error') others.push(event);
    else if (event.type === 'finish' && event.reason.unified !== 'stop') {
      return new GatewayError('upstream_failed', { detail: `Its transcript is not whole: ${event.reason.raw}.` });
    }
  }
  return [{ type: 'transcript', transcript: { text: text.trim() } }, ...others];
}
