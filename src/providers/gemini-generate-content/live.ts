import { objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import { type Heard, NOTHING_HEARD, type RealtimeForm } from '../realtime-form.ts';
import { geminiLiveWire } from './live-wire.ts';

/** Keys, with their quotes: within a text those would be escaped, so whoever finds one has found a key or a whole string. */
const USAGE = Buffer.from('"usageMetadata"');
const TURN_COMPLETE = Buffer.from('"turnComplete"');
const ANSWERS = ['"serverContent"', '"toolCall"'].map((key) => Buffer.from(key));
const SETUP = Buffer.from('"setup"');

/** https://ai.google.dev/api/live#BidiGenerateContentSetup */
const SETUP_PARAMS = new Set([
  ...['generationConfig', 'systemInstruction', 'tools', 'realtimeInputConfig', 'sessionResumption'],
  ...['contextWindowCompression', 'inputAudioTranscription', 'outputAudioTranscription', 'proactivity'],
]);

const ANSWER: Heard = { begins: true, content: true };

/** https://ai.google.dev/api/live */
export const geminiLive: RealtimeForm = {
  wire: geminiLiveWire.name,
  modelTypes: ['realtime'],
  modelIn: ({ model }) => ({ param: 'session.model', model: stringOf(model) }),

  modelOf(first) {
    const model = stringOf(objectOf(parseObject(first.toString())?.['setup'])?.['model']);
    if (model !== undefined) return model.replace(/^.*?(?:^|\/)models\//, '');
    const detail = 'The first message is `{"setup": {"model": …}}`.';
    return new GatewayError('invalid_parameter', { param: 'setup.model', detail });
  },

  said(bytes, model) {
    if (!bytes.includes(SETUP)) return { bytes };
    const message = parseObject(bytes.toString());
    const setup = objectOf(message?.['setup']);
    if (message === undefined || setup === undefined) return { bytes };
    const made = { ...setup, ...model.params, model: model.atProvider };
    return { bytes: Buffer.from(JSON.stringify({ ...message, setup: made })) };
  },

  // The client's first message is the one that sets up.
  opening: () => undefined,
  refusedParam: (params) => Object.keys(params).find((key) => !SETUP_PARAMS.has(key)),

  heard(bytes) {
    if (bytes.includes(USAGE) || bytes.includes(TURN_COMPLETE)) return read(bytes);
    return ANSWERS.some((key) => bytes.includes(key)) ? ANSWER : NOTHING_HEARD;
  },

  errorMessage: () => undefined,
};

function read(bytes: Buffer): Heard {
  const message = parseObject(bytes.toString()) ?? {};
  const content = objectOf(message['serverContent']);
  const usage = geminiLiveWire.toUsage(message['usageMetadata'], message);
  const answers = content !== undefined || message['toolCall'] !== undefined;
  return {
    ...(answers && ANSWER),
    usage,
    ...(content?.['turnComplete'] === true && { ends: usage === undefined ? 'with its usage' : true }),
  };
}
