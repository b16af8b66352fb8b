import { countOf, objectOf, parseObject, stringOf } from '../../../codec/json-value.ts';
import { GatewayError } from '../../../core/errors.ts';
import type { SpeechFormat } from '../../../inference/speech.ts';
import { jsonBody } from '../../base/json-body.ts';
import { noSuchFormat, nothingFor, speechWire } from '../../base/speech.ts';
import { recordingForm, spokenParts, transcriptionWire, wantsSpeakers } from '../../base/transcription.ts';
import { toUsage } from '../to-usage.ts';

const PROVIDER = 'Mistral';
const TYPES: Partial<Record<SpeechFormat, string>> = {
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  opus: 'audio/ogg',
  // Samples of 32 bits, with a decimal point: no other format of the same name has them.
  pcm: 'application/octet-stream',
};

/** https://docs.mistral.ai/api/endpoint/audio/speech: the audio comes within JSON. */
export const mistralSpeech = speechWire({
  name: 'mistral-speech',
  path: '/audio/speech',
  toRequest({ model, text, voice, format, speed, extra }) {
    if (TYPES[format] === undefined) return noSuchFormat(PROVIDER, format, Object.keys(TYPES));
    if ('instructions' in extra) return nothingFor(PROVIDER, 'instructions');
    if (speed !== undefined && speed !== 1) return nothingFor(PROVIDER, 'speed');
    const body = { model, input: text, voice_id: voice, response_format: format, stream: false, ...extra };
    return { body: jsonBody(body), headers: [] };
  },
  fromResponse(body) {
    const answer = parseObject(body.toString('utf8'));
    const base64 = stringOf(answer?.['audio_data']);
    if (base64 === undefined) return new GatewayError('upstream_protocol', { detail: 'Its answer has no audio.' });
    const usage = toUsage(answer?.['usage'], answer ?? {});
    return [
      { type: 'audio', mediaType: typeOf(Buffer.from(base64.slice(0, 16), 'base64')), base64 },
      ...(usage === undefined ? [] : [{ type: 'usage', usage } as const]),
    ];
  },
});

/** By its first bytes: it does not say. */
function typeOf(beginning: Buffer): string {
  const letters = beginning.toString('latin1', 0, 4);
  if (letters === 'RIFF') return 'audio/wav';
  if (letters === 'fLaC') return 'audio/flac';
  if (letters === 'OggS') return 'audio/ogg';
  const isMp3 = letters.startsWith('ID3') || (beginning[0] === 0xff && (beginning[1]! & 0xe0) === 0xe0);
  return isMp3 ? 'audio/mpeg' : 'application/octet-stream';
}

/** https://docs.mistral.ai/api/endpoint/audio/transcriptions: it knows one format, and refuses to be asked for another. */
export const mistralTranscripts = transcriptionWire({
  name: 'mistral-transcriptions',
  path: '/audio/transcriptions',
  toRequest(request) {
    const { model, language, wordTimes, segmentTimes, extra } = request;
    const times = segmentTimes ? 'segment' : wordTimes ? 'word' : undefined;
    return recordingForm(request, [
      ['model', model],
      // It takes one of the two, and times are what the client's format needs.
      ['language', times === undefined ? language : undefined],
      ['timestamp_granularities', times],
      ['diarize', wantsSpeakers(request) ? true : undefined],
      ...extra,
    ]);
  },
  fromAnswer(answer) {
    const text = stringOf(answer['text']);
    if (text === undefined) return undefined;
    const parts = spokenParts(answer['segments'], 'text', 'speaker_id');
    return {
      text,
      language: stringOf(answer['language']),
      durationSeconds: countOf(objectOf(answer['usage'])?.['prompt_audio_seconds']),
      // Where nothing of times was asked the list is there, and empty.
      ...(parts !== undefined && parts.length > 0 && { segments: parts }),
    };
  },
  usageOf: (answer) => toUsage(answer['usage'], answer),
});
