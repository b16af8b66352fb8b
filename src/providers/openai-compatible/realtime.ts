import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import { exchangeId } from '../../core/ids.ts';
import { type Heard, NOTHING_HEARD, type RealtimeForm, type SessionModel } from '../realtime-form.ts';
import { openAiRealtimeWire } from './realtime-wire.ts';

/** Servers and clients write it first: `{"type":"response.done",…`. */
const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([\w.]{1,100})"/;
const HEAD_BYTES = 160;

const CONTENT: Heard = { content: true };
const BEGINS: Heard = { begins: true };

/** https://platform.openai.com/docs/api-reference/realtime */
export const openAiRealtime: RealtimeForm = {
  wire: openAiRealtimeWire.name,

  said(bytes, model) {
    const type = typeOf(bytes);
    if (type === 'response.create') return { bytes, asks: true };
    // Nothing else names a model.
    if (type !== 'session.update') return { bytes };
    const event = parseObject(bytes.toString());
    const session = objectOf(event?.['session']);
    const named = session?.['model'];
    if (event === undefined || session === undefined || named === undefined) return { bytes };
    if (named === model.atProvider) return { bytes };
    if (named !== model.asked && named !== model.target) return otherModel(model);
    return { bytes: Buffer.from(JSON.stringify({ ...event, session: { ...session, model: model.atProvider } })) };
  },

  heard(bytes) {
    const type = typeOf(bytes);
    if (type === undefined) return NOTHING_HEARD;
    if (type === 'response.created') return BEGINS;
    if (type === 'response.done') {
      const response: JsonObject = objectOf(parseObject(bytes.toString())?.['response']) ?? {};
      return { usage: openAiRealtimeWire.toUsage(response['usage'], response), ends: true };
    }
    return type.startsWith('response.') && type.endsWith('.delta') ? CONTENT : NOTHING_HEARD;
  },

  /** https://platform.openai.com/docs/api-reference/realtime-server-events/error */
  errorMessage(told) {
    return JSON.stringify({ type: 'error', event_id: `event_${exchangeId().replaceAll('-', '')}`, error: told });
  },
};

/** A session is let in for one model: its name must not become that of another one on the way. */
function otherModel({ asked }: SessionModel): GatewayError {
  const detail = `\`session.model\` may only be \`${asked}\`, the model of this session.`;
  return new GatewayError('invalid_parameter', { param: 'session.model', detail });
}

function typeOf(bytes: Buffer): string | undefined {
  const [, first] = TYPE_FIRST.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? [];
  return first ?? stringOf(parseObject(bytes.toString())?.['type']);
}
