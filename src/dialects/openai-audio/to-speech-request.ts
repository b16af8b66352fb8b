import { parseExactObject, scalarText } from '../../codec/exact-json.ts';
import { isObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import { SPEECH_FORMATS, type SpeechRequest } from '../../inference/speech.ts';
import { wrong } from '../openai-json/request-scan.ts';

/** https://platform.openai.com/docs/api-reference/audio/createSpeech, its defaults included. */
export function toInference(body: Buffer, model: string): OrError<SpeechRequest> {
  const asked = parseExactObject(body.toString('utf8'));
  if (asked === undefined) return new GatewayError('invalid_json');
  const { model: _, input, voice, response_format: format = 'mp3', speed, stream_format: __, ...extra } = asked;
  if (typeof input !== 'string') return wrong('input', 'It must be a string.');
  const known = SPEECH_FORMATS.find((each) => each === format);
  if (known === undefined) return wrong('response_format', `It must be one of ${SPEECH_FORMATS.join(', ')}.`);
  const named = isObject(voice) ? voice['id'] : voice;
  if (named !== undefined && typeof named !== 'string') return wrong('voice', 'It must be a string, or have an `id`.');
  const pace = speed === undefined || speed === null ? undefined : Number(scalarText(speed));
  if (pace !== undefined && !(pace > 0 && Number.isFinite(pace))) return wrong('speed', 'It must be a number above 0.');
  return {
    model,
    text: input,
    voice: named,
    format: known,
    formatIsNamed: asked['response_format'] !== undefined,
    speed: pace,
    extra,
  };
}
