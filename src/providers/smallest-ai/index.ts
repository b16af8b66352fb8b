import { countOf, objectOf, stringOf } from '../../codec/json-value.ts';
import type { SpeechFormat } from '../../inference/speech.ts';
import { jsonBody } from '../base/json-body.ts';
import { audioPlug, noSuchFormat, nothingFor, speechWire } from '../base/speech.ts';
import { mediaTypeOf, spokenParts, transcriptionWire, wantsSpeakers } from '../base/transcription.ts';

const PROVIDER = 'Smallest AI';
const FORMATS: readonly SpeechFormat[] = ['mp3', 'wav', 'pcm'];
/** What OpenAI's `pcm` is; it speaks 44,100 at the most. */
const SAMPLES_PER_SECOND = 24_000;

/** https://docs.smallest.ai/waves/api-reference/api-reference/text-to-speech/synthesize-speech */
const speech = speechWire({
  name: 'smallest-tts',
  path: '/waves/v1/tts',
  toRequest({ model, text, voice, format, speed, extra }) {
    if (!FORMATS.includes(format)) return noSuchFormat(PROVIDER, format, FORMATS);
    if ('instructions' in extra) return nothingFor(PROVIDER, 'instructions');
    const body = {
      model,
      text,
      voice_id: voice,
      output_format: format,
      sample_rate: SAMPLES_PER_SECOND,
      speed,
      ...extra,
    };
    return { body: jsonBody(body), headers: [] };
  },
});

/** https://docs.smallest.ai/waves/api-reference/api-reference/speech-to-text/transcribe-pre-recorded */
const transcripts = transcriptionWire({
  name: 'smallest-stt',
  path: '/waves/v1/stt/',
  toRequest(request) {
    const { model, audio, language, wordTimes, segmentTimes, extra } = request;
    const query = new URLSearchParams({ model });
    if (language !== undefined) query.set('language', language);
    if (wordTimes || segmentTimes) query.set('word_timestamps', 'true');
    if (wantsSpeakers(request)) query.set('diarize', 'true');
    for (const [name, value] of extra) query.set(name, value);
    const { start, end } = audio;
    const contentType = mediaTypeOf(request) ?? 'application/octet-stream';
    return { body: [{ start, end }], headers: ['content-type', contentType], path: `/waves/v1/stt/?${query}` };
  },
  fromAnswer(answer) {
    const text = stringOf(answer['transcription']);
    if (text === undefined) return undefined;
    return {
      text,
      language: stringOf(answer['language']),
      durationSeconds: countOf(objectOf(answer['metadata'])?.['duration']) ?? countOf(answer['audio_length']),
      segments: spokenParts(answer['utterances'], 'text', 'speaker'),
      words: spokenParts(answer['words'], 'word', 'speaker'),
    };
  },
});

export const plug = audioPlug({
  vendor: 'smallest-ai',
  variable: 'SMALLEST_API_KEY',
  address: 'https://api.smallest.ai',
  wires: [speech, transcripts],
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
});
