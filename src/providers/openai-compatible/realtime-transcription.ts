import { parseExactObject } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { RealtimeForm, Said, SessionModel } from '../realtime-form.ts';
import { openAiRealtime } from './realtime.ts';
import { otherModel, refusedParam, typeSaid } from './realtime-said.ts';

const PARAM = 'session.audio.input.transcription.model';

/**
 * Sessions that transcribe what is said, and answer nothing: each piece of audio that is committed is a turn. Their model
 * stands in the settings of the transcription. https://platform.openai.com/docs/guides/realtime-transcription
 */
export const openAiTranscription: RealtimeForm = {
  wire: openAiRealtime.wire,
  modelTypes: ['realtime', 'audio_transcription'],

  modelOf(first) {
    const model = modelIn(objectOf(parseObject(first.toString())?.['session']) ?? {});
    if (model !== undefined) return model;
    const detail = `The address names the model (\`&model=…\`), or the first message does: a \`session.update\` with \`${PARAM}\`.`;
    return new GatewayError('missing_parameter', { param: PARAM, detail });
  },
  isAddressed: true,
  modelIn: (session) => ({ param: PARAM, model: modelIn(session) }),
  refusedParam,

  /** The provider takes no model there. */
  address(path) {
    const [at = '', query = ''] = path.split('?');
    const kept = new URLSearchParams(query);
    for (const key of ['model', 'deployment']) kept.delete(key);
    kept.set('intent', 'transcription');
    return `${at}?${kept}`;
  },

  opening({ atProvider, params }, config) {
    const session = { type: 'transcription', ...config, ...params };
    return Buffer.from(JSON.stringify({ type: 'session.update', session: withModel(session, atProvider) }));
  },

  said(bytes, model) {
    const type = typeSaid(bytes);
    if (type instanceof GatewayError) return type;
    return type === 'session.update' || type === 'transcription_session.update' ? updated(bytes, model) : { bytes };
  },

  heard(bytes) {
    const { transcript = NOTHING } = openAiRealtime.heard(bytes);
    return transcript;
  },

  errorMessage: (told) => openAiRealtime.errorMessage(told),
};

const NOTHING = {};

function updated(bytes: Buffer, model: SessionModel): OrError<Said> {
  const event = parseExactObject(bytes.toString());
  const session = objectOf(event?.['session']);
  if (session === undefined) return { bytes };
  if (session['type'] !== undefined && session['type'] !== 'transcription') {
    const detail = '`session.type` may only be `transcription` in a session that was opened for it.';
    return new GatewayError('invalid_parameter', { param: 'session.type', detail });
  }
  for (const [param, named] of [
    [PARAM, modelIn(session)],
    ['session.model', session['model']],
  ] as const) {
    const isOwn = named === model.asked || named === model.target || named === model.atProvider;
    if (named !== undefined && !isOwn) return otherModel(param, model);
  }
  const { model: _, ...own } = session;
  const made = withModel({ ...own, ...model.params }, model.atProvider);
  return { bytes: Buffer.from(JSON.stringify({ ...event, session: made })) };
}

function modelIn(session: JsonObject): string | undefined {
  return stringOf(transcriptionIn(session)?.['model']);
}

function transcriptionIn(session: JsonObject): JsonObject | undefined {
  const now = objectOf(objectOf(session['audio'])?.['input'])?.['transcription'];
  return objectOf(now ?? session['input_audio_transcription']);
}

/** The settings of a session, whose transcription is by this model. */
function withModel(session: JsonObject, model: string): JsonObject {
  if (session['input_audio_transcription'] !== undefined) {
    const transcription = { ...objectOf(session['input_audio_transcription']), model };
    return { ...session, input_audio_transcription: transcription };
  }
  const audio = objectOf(session['audio']);
  const input = objectOf(audio?.['input']);
  const transcription = { ...objectOf(input?.['transcription']), model };
  return { ...session, audio: { ...audio, input: { ...input, transcription } } };
}
