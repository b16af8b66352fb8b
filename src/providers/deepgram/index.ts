import { scalarText } from '../../codec/exact-json.ts';
import type { SpeechFormat } from '../../inference/speech.ts';
import { jsonBody } from '../base/json-body.ts';
import { AUDIO_PATHS, audioPlug, nothingFor, speechWire } from '../base/speech.ts';
import { faultIn } from './fault.ts';
import { deepgramTranscripts } from './transcripts.ts';

const PROVIDER = 'Deepgram';

/** https://developers.deepgram.com/docs/tts-media-output-settings */
const FORMATS: Record<SpeechFormat, Record<string, string>> = {
  mp3: { encoding: 'mp3' },
  opus: { encoding: 'opus' },
  aac: { encoding: 'aac' },
  flac: { encoding: 'flac' },
  wav: { encoding: 'linear16', container: 'wav' },
  pcm: { encoding: 'linear16', container: 'none', sample_rate: '24000' },
};
/** Family, voice, language. */
const MODEL = /^(aura(?:-2)?)-[a-z]+-([a-z]{2})$/;

/** https://developers.deepgram.com/reference/text-to-speech/speak-request */
const speech = speechWire({
  name: 'deepgram-speech',
  path: '/v1/speak',
  faultIn,
  toRequest(request) {
    const { model, text, voice, format, speed, extra } = request;
    const query = new URLSearchParams({ model: modelWith(model, voice), ...FORMATS[format] });
    if (speed !== undefined) query.set('speed', String(speed));
    for (const [name, value] of Object.entries(extra)) {
      if (value === null) continue;
      const text = scalarText(value);
      if (name === 'instructions' || text === undefined) return nothingFor(PROVIDER, name);
      query.set(name, text);
    }
    return { body: jsonBody({ text }), headers: [], path: `/v1/speak?${query}` };
  },
});

/** A voice is a part of the model's id, or a whole one: `zeus` or `aura-2-zeus-en` beside `aura-2-thalia-en`. */
function modelWith(model: string, voice: string | undefined): string {
  if (voice === undefined || voice === '') return model;
  if (MODEL.test(voice)) return voice;
  const [, family, language] = MODEL.exec(model) ?? [];
  return family === undefined ? model : `${family}-${voice}-${language}`;
}

export const plug = audioPlug({
  vendor: 'deepgram',
  variable: 'DEEPGRAM_API_KEY',
  address: 'https://api.deepgram.com',
  wires: [speech, deepgramTranscripts],
  passedAt: AUDIO_PATHS,
  // https://developers.deepgram.com/reference/manage/projects/list
  probe: { path: '/v1/projects' },
  keyHeader: (key) => ['authorization', `Token ${key}`],
});
