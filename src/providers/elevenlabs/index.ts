import { GatewayError } from '../../core/errors.ts';
import type { SpeechFormat } from '../../inference/speech.ts';
import { jsonBody } from '../base/json-body.ts';
import { AUDIO_PATHS, audioPlug, noSuchFormat, nothingFor, speechWire } from '../base/speech.ts';
import { elevenLabsTranscripts } from './transcripts.ts';

const PROVIDER = 'ElevenLabs';

/** Codec, samples a second, kilobits a second. */
const FORMATS: Partial<Record<SpeechFormat, string>> = {
  mp3: 'mp3_44100_128',
  opus: 'opus_48000_96',
  wav: 'wav_24000',
  pcm: 'pcm_24000',
};
/** It stands in the path. */
const VOICE_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** https://elevenlabs.io/docs/api-reference/text-to-speech/stream */
const speech = speechWire({
  name: 'elevenlabs-speech',
  path: '/v1/text-to-speech',
  toRequest(request) {
    const { model, text, voice, format, speed, extra } = request;
    const output = FORMATS[format];
    if (output === undefined) return noSuchFormat(PROVIDER, format, Object.keys(FORMATS));
    if ('instructions' in extra) return nothingFor(PROVIDER, 'instructions');
    if (voice === undefined || !VOICE_ID.test(voice)) {
      return new GatewayError('invalid_parameter', {
        param: 'voice',
        detail: '`voice`: It must be the id of a voice of ElevenLabs, as `JBFqnCBsd6RMkjVDRZzb`.',
      });
    }
    const settings = speed === undefined ? {} : { voice_settings: { speed } };
    // The size at the beginning of a WAV is known only when all of it is there.
    const how = format === 'wav' ? '' : '/stream';
    return {
      body: jsonBody({ text, model_id: model, ...settings, ...extra }),
      headers: [],
      path: `/v1/text-to-speech/${voice}${how}?output_format=${output}`,
    };
  },
});

export const plug = audioPlug({
  vendor: 'elevenlabs',
  variable: 'ELEVENLABS_API_KEY',
  address: 'https://api.elevenlabs.io',
  wires: [speech, elevenLabsTranscripts],
  passedAt: AUDIO_PATHS,
  // https://elevenlabs.io/docs/api-reference/models/list: a plain list.
  probe: { path: '/v1/models' },
  keyHeader: (key) => ['xi-api-key', key],
});
