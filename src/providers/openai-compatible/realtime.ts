import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { exchangeId } from '../../core/ids.ts';
import { type Heard, NOTHING_HEARD, type RealtimeForm } from '../realtime-form.ts';
import { opening, refusedParam, said } from './realtime-said.ts';
import { openAiRealtimeWire } from './realtime-wire.ts';

/** Servers write it first: `{"type":"response.done",…`. */
const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([\w.]{1,100})"/;
const HEAD_BYTES = 160;

const CONTENT: Heard = { content: true };
const BEGINS: Heard = { begins: true };

/** https://platform.openai.com/docs/api-reference/realtime */
export const openAiRealtime: RealtimeForm = {
  wire: openAiRealtimeWire.name,

  said,
  opening,
  refusedParam,

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

function typeOf(bytes: Buffer): string | undefined {
  const [, first] = TYPE_FIRST.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? [];
  return first ?? stringOf(parseObject(bytes.toString())?.['type']);
}
