import { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault } from '../../config/scalar-schema.ts';
import { GatewayError } from '../../core/errors.ts';
import type { SpeechFormat } from '../../inference/speech.ts';
import { headerCredential } from '../base/credential.ts';
import { jsonBody } from '../base/json-body.ts';
import { listedModels } from '../base/listed-models.ts';
import { AUDIO_PATHS, audioAccount, keyVariable, noSuchFormat, nothingFor, speechWire } from '../base/speech.ts';
import type { ProviderPlug } from '../provider.ts';
import { cartesiaTranscripts } from './transcripts.ts';

const type = 'provider-account/cartesia';
const PROVIDER = 'Cartesia';
const VERSIONS = ['2025-04-16', '2024-11-13', '2024-06-10'] as const;

const SAMPLES = { encoding: 'pcm_s16le', sample_rate: 24_000 };
const FORMATS: Partial<Record<SpeechFormat, object>> = {
  mp3: { container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 },
  wav: { container: 'wav', ...SAMPLES },
  pcm: { container: 'raw', ...SAMPLES },
};

/** https://docs.cartesia.ai/api-reference/tts/bytes */
const speech = speechWire({
  name: 'cartesia-speech',
  path: '/tts/bytes',
  toRequest(request) {
    const { model, text, voice, format, speed, extra } = request;
    const output = FORMATS[format];
    if (output === undefined) return noSuchFormat(PROVIDER, format, Object.keys(FORMATS));
    if ('instructions' in extra) return nothingFor(PROVIDER, 'instructions');
    if (voice === undefined || voice === '') {
      return new GatewayError('missing_parameter', {
        param: 'voice',
        detail: '`voice` is required: the id of a voice.',
      });
    }
    return {
      body: jsonBody({
        model_id: model,
        transcript: text,
        voice: { mode: 'id', id: voice },
        output_format: output,
        ...(speed !== undefined && { generation_config: { speed } }),
        ...extra,
      }),
      headers: [],
    };
  },
});

const WIRES = [speech, cartesiaTranscripts];

const schema = accountBase(type).extend({
  auth_data: apiKeyAuth,
  base_url: keyWithDefault(baseUrl(), 'https://api.cartesia.ai'),
  cartesia_version: keyWithDefault(z.enum(VERSIONS), VERSIONS[0]).describe('Version of the API, sent as a header.'),
  integrations: integrationList(integrationBase('integration/model/cartesia')),
});

export const plug: ProviderPlug = {
  type,
  schema,
  wellKnown: keyVariable(type, 'cartesia', 'CARTESIA_API_KEY'),
  wires: WIRES,
  passedAt: AUDIO_PATHS,
  open(checked) {
    const manifest = schema.parse(checked);
    const { base_url: url, cartesia_version: version } = manifest;
    const credential = headerCredential(['authorization', `Bearer ${manifest.auth_data.api_key}`]);
    const headers = ['cartesia-version', version];
    return audioAccount({
      manifest,
      wires: WIRES,
      url,
      credential,
      headers,
      listed: listedModels(manifest.integrations),
    });
  },
};
