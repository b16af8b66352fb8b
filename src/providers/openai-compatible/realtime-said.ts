import { parseExactObject } from '../../codec/exact-json.ts';
import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Said, SessionModel } from '../realtime-form.ts';

const TYPE_KEY = Buffer.from('"type"');
/** Clients write it first: `{"type":"response.create",…`. */
const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([\w.]{1,100})"/;
const HEAD_BYTES = 160;
const BACKSLASH = 0x5c;

/** Parameters of a session, as they are now and as they were before the API was generally available. */
const SESSION_PARAMS = new Set([
  ...['audio', 'include', 'instructions', 'max_output_tokens', 'output_modalities', 'parallel_tool_calls', 'prompt'],
  ...['reasoning', 'tool_choice', 'tools', 'tracing', 'truncation'],
  ...['input_audio_format', 'input_audio_noise_reduction', 'input_audio_transcription', 'max_response_output_tokens'],
  ...['modalities', 'output_audio_format', 'speed', 'temperature', 'turn_detection', 'voice'],
]);

/** A parameter that no session has; undefined: there is none. */
export function refusedParam(params: JsonObject): string | undefined {
  return Object.keys(params).find((key) => !SESSION_PARAMS.has(key));
}

/** What the gateway says before its client; undefined: nothing. */
export function opening({ params, isBeta }: SessionModel, config: JsonObject | undefined): Buffer | undefined {
  if (params === undefined && config === undefined) return undefined;
  const type = isBeta ? {} : { type: 'realtime' };
  return Buffer.from(JSON.stringify({ type: 'session.update', session: { ...type, ...config, ...params } }));
}

/** A client's message, with the provider's own name of the model and the parameters that its target sets. */
export function said(bytes: Buffer, model: SessionModel): OrError<Said> {
  const type = typeSaid(bytes);
  if (type instanceof GatewayError) return type;
  if (type === 'response.create') return { bytes: responseWith(bytes, model), asks: true };
  // Nothing else names a model.
  return type === 'session.update' ? sessionWith(bytes, model) : { bytes };
}

/** The type of a client's message, of which a provider cannot take another one: a message has but one. */
export function typeSaid(bytes: Buffer): OrError<string | undefined> {
  const [, first] = TYPE_FIRST.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? [];
  const isOnly = bytes.indexOf(TYPE_KEY) === bytes.lastIndexOf(TYPE_KEY) && bytes.indexOf(BACKSLASH) < 0;
  if (first !== undefined && isOnly) return first;
  const type = stringOf(parseObject(bytes.toString())?.['type']);
  if (first === undefined || type === undefined || first === type) return type;
  return new GatewayError('invalid_parameter', { param: 'type', detail: 'It may stand but once in a message.' });
}

function responseWith(bytes: Buffer, { params }: SessionModel): Buffer {
  if (params === undefined) return bytes;
  const event = parseExactObject(bytes.toString());
  const response = objectOf(event?.['response']);
  if (response === undefined) return bytes;
  const set = Object.entries(params).filter(([key]) => Object.hasOwn(response, key));
  if (set.length === 0) return bytes;
  return Buffer.from(JSON.stringify({ ...event, response: { ...response, ...Object.fromEntries(set) } }));
}

/** Written anew, so that no second key of the same name says something else. */
function sessionWith(bytes: Buffer, model: SessionModel): OrError<Said> {
  const event = parseExactObject(bytes.toString());
  const session = objectOf(event?.['session']);
  if (session === undefined) return { bytes };
  const named = session['model'];
  if (named !== undefined && named !== model.atProvider && named !== model.asked && named !== model.target) {
    return otherModel('session.model', model);
  }
  const own = { ...session, ...(named !== undefined && { model: model.atProvider }) };
  const transcribed = withTranscriber(own, model);
  if (transcribed instanceof GatewayError) return transcribed;
  const made = { ...transcribed, ...model.params };
  return { bytes: Buffer.from(JSON.stringify({ ...event, session: made })) };
}

/** Another model transcribes what the client says, beside that of the session; it is named as any model is. */
function withTranscriber(session: JsonObject, { transcriber }: SessionModel): OrError<JsonObject> {
  const audio = objectOf(session['audio']);
  const input = objectOf(audio?.['input']);
  const now = objectOf(input?.['transcription']);
  const before = objectOf(session['input_audio_transcription']);
  const name = stringOf((now ?? before)?.['model']);
  if (name === undefined || transcriber === undefined) return session;
  const model = transcriber(name);
  if (model instanceof GatewayError) return model;
  if (now === undefined) return { ...session, input_audio_transcription: { ...before, model } };
  return { ...session, audio: { ...audio, input: { ...input, transcription: { ...now, model } } } };
}

/** A session is let in for one model: its name must not become that of another one on the way. */
export function otherModel(param: string, { asked }: SessionModel): GatewayError {
  return new GatewayError('invalid_parameter', {
    param,
    detail: `\`${param}\` may only be \`${asked}\`, the model of this session.`,
  });
}
