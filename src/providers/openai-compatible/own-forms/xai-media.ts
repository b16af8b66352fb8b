import { countOf, stringOf } from '../../../codec/json-value.ts';
import type { OrError } from '../../../core/exchange.ts';
import type { ImageRequest } from '../../../inference/image.ts';
import type { SpeechFormat } from '../../../inference/speech.ts';
import { InlineBody } from '../../base/inline-data.ts';
import { jsonBody } from '../../base/json-body.ts';
import { noSuchFormat, nothingFor, speechWire } from '../../base/speech.ts';
import { recordingForm, spokenParts, transcriptionWire, wantsSpeakers } from '../../base/transcription.ts';
import type { MadeRequest, Wire } from '../../provider.ts';
import { openAiImageEditsWire } from '../media-wires.ts';
import { notTranslated } from '../not-translated.ts';
import { dataUrl } from './data-url.ts';

const PROVIDER = 'xAI';
const CODECS: readonly SpeechFormat[] = ['mp3', 'wav', 'pcm'];

/** https://docs.x.ai/developers/rest-api-reference/inference/voice */
export const xaiSpeech = speechWire({
  name: 'xai-tts',
  path: '/tts',
  toRequest({ text, voice, format, formatIsNamed, speed, extra }) {
    if (!CODECS.includes(format)) return noSuchFormat(PROVIDER, format, CODECS);
    if ('instructions' in extra) return nothingFor(PROVIDER, 'instructions');
    const body = {
      text,
      voice_id: voice || undefined,
      language: 'auto',
      output_format: formatIsNamed ? { codec: format, sample_rate: format === 'mp3' ? undefined : 24_000 } : undefined,
      speed,
      ...extra,
    };
    return { body: jsonBody(body), headers: [] };
  },
});

/** https://docs.x.ai/developers/rest-api-reference/inference/voice: one model listens, and nobody names it. */
export const xaiTranscripts = transcriptionWire({
  name: 'xai-stt',
  path: '/stt',
  toRequest(request) {
    const { language, extra } = request;
    return recordingForm(request, [
      ['language', language],
      ['diarize', wantsSpeakers(request) ? true : undefined],
      ...extra,
    ]);
  },
  fromAnswer(answer) {
    const text = stringOf(answer['text']);
    if (text === undefined) return undefined;
    return {
      text,
      language: stringOf(answer['language']) || undefined,
      durationSeconds: countOf(answer['duration']),
      words: spokenParts(answer['words'], 'text', 'speaker'),
    };
  },
});

/** Edits name their images by address, in JSON: https://docs.x.ai/developers/rest-api-reference/inference/images */
export const xaiImageEdits: Wire = {
  ...openAiImageEditsWire,
  name: 'xai-image-edits',
  framing: 'none',
  contentType: 'application/json',
  answersAs: openAiImageEditsWire.name,
  translation: {
    toRequest({ model, prompt, images: n, asUrl, quality, sources, mask, extra }: ImageRequest): OrError<MadeRequest> {
      if (mask !== undefined) return nothingFor(PROVIDER, 'mask');
      const written = new InlineBody();
      const body = written.write({
        model,
        prompt,
        n: n === 1 ? undefined : n,
        quality,
        response_format: asUrl ? 'url' : 'b64_json',
        images: sources.map((source) => ({ type: 'image_url', url: dataUrl(source, written) })),
        ...extra,
      });
      return { body, headers: [] };
    },
    fromResponse: notTranslated,
  },
};
