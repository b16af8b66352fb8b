import { type JsonObject, objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { exchangeId } from '../../core/ids.ts';
import { type Heard, NOTHING_HEARD, type RealtimeForm } from '../realtime-form.ts';
import { opening, refusedParam, said } from './realtime-said.ts';
import { openAiRealtimeWire } from './realtime-wire.ts';
import { toTranscriptUsage } from './to-media-usage.ts';

/** Servers write it first: `{"type":"response.done",…`. */
const TYPE_FIRST = /^\s*\{\s*"type"\s*:\s*"([\w.]{1,100})"/;
const HEAD_BYTES = 160;

const CONTENT: Heard = { content: true };
const BEGINS: Heard = { begins: true };
const ENDS: Heard = { ends: true };
const COMMITTED: Heard = { transcript: BEGINS };
const TRANSCRIPTION = 'conversation.item.input_audio_transcription.';

/** https://platform.openai.com/docs/api-reference/realtime */
export const openAiRealtime: RealtimeForm = {
  wire: openAiRealtimeWire.name,
  modelTypes: ['realtime'],
  modelIn: ({ model }) => ({ param: 'session.model', model: stringOf(model) }),

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
    if (type.startsWith(TRANSCRIPTION)) return { transcript: transcriptHeard(type, bytes) };
    if (type === 'input_audio_buffer.committed') return COMMITTED;
    if (/^(?:transcription_)?session\.(?:created|updated)$/.test(type)) return transcriberHeard(bytes);
    return type.startsWith('response.') && type.endsWith('.delta') ? CONTENT : NOTHING_HEARD;
  },

  /** https://platform.openai.com/docs/api-reference/realtime-server-events/error */
  errorMessage(told) {
    return JSON.stringify({ type: 'error', event_id: `event_${exchangeId().replaceAll('-', '')}`, error: told });
  },
};

/** https://platform.openai.com/docs/api-reference/realtime-server-events/conversation/item/input_audio_transcription/completed */
function transcriptHeard(type: string, bytes: Buffer): Heard['transcript'] {
  if (type.endsWith('.delta')) return CONTENT;
  if (!type.endsWith('.completed')) return type.endsWith('.failed') ? ENDS : NOTHING_HEARD;
  const message = parseObject(bytes.toString()) ?? {};
  return { usage: toTranscriptUsage(message['usage'], {}), ends: true };
}

function transcriberHeard(bytes: Buffer): Heard {
  const session = objectOf(parseObject(bytes.toString())?.['session']);
  const now = objectOf(objectOf(session?.['audio'])?.['input'])?.['transcription'];
  return { transcriber: stringOf(objectOf(now ?? session?.['input_audio_transcription'])?.['model']) ?? null };
}

function typeOf(bytes: Buffer): string | undefined {
  const [, first] = TYPE_FIRST.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? [];
  return first ?? stringOf(parseObject(bytes.toString())?.['type']);
}
