import { parseExactObject } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';

const ENDS: ReadonlySet<unknown> = new Set(['completed', 'incomplete', 'failed', 'queued', 'in_progress']);

/** A whole response as the events that its stream would have been; what the provider wrote stays, digit by digit. */
export function toEvents(answer: Buffer): OrError<Buffer> {
  const response = parseExactObject(answer.toString('utf8'));
  if (response === undefined || !isArray(response['output'])) {
    return new GatewayError('upstream_protocol', { detail: 'Its answer has no output.' });
  }
  const events: string[] = [];
  const emit = (type: string, fields: object): void => {
    const event = JSON.stringify({ type, sequence_number: events.length, ...fields });
    events.push(`event: ${type}\ndata: ${event}\n\n`);
  };
  const { output, status } = response;
  const begun = { ...response, status: 'in_progress', output: [], usage: null, completed_at: null };
  emit('response.created', { response: begun });
  emit('response.in_progress', { response: begun });
  for (const [index, item] of output.entries()) if (isObject(item)) itemEvents(item, index, emit);
  emit(`response.${ENDS.has(status) ? status : 'completed'}`, { response });
  return Buffer.from(events.join(''));
}

type Emit = (type: string, fields: object) => void;

function itemEvents(item: JsonObject, output_index: number, emit: Emit): void {
  const { type, id: item_id, content, summary, arguments: argumentsText, input } = item;
  const place = { item_id, output_index };
  const empty = { ...item, status: 'in_progress' };
  switch (type) {
    case 'message':
      emit('response.output_item.added', { output_index, item: { ...empty, content: [] } });
      if (isArray(content)) {
        for (const [content_index, part] of content.entries()) {
          if (isObject(part)) partEvents(part, { ...place, content_index }, emit);
        }
      }
      break;
    case 'reasoning':
      emit('response.output_item.added', { output_index, item: { ...empty, summary: [] } });
      if (isArray(summary)) {
        for (const [summary_index, part] of summary.entries()) {
          if (!isObject(part)) continue;
          const at = { ...place, summary_index };
          emit('response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } });
          emit('response.reasoning_summary_text.delta', { ...at, delta: part['text'] });
          emit('response.reasoning_summary_text.done', { ...at, text: part['text'] });
          emit('response.reasoning_summary_part.done', { ...at, part });
        }
      }
      break;
    case 'function_call':
      emit('response.output_item.added', { output_index, item: { ...empty, arguments: '' } });
      emit('response.function_call_arguments.delta', { ...place, delta: argumentsText });
      emit('response.function_call_arguments.done', { ...place, name: item['name'], arguments: argumentsText });
      break;
    case 'custom_tool_call':
      emit('response.output_item.added', { output_index, item: { ...empty, input: '' } });
      emit('response.custom_tool_call_input.delta', { ...place, delta: input });
      emit('response.custom_tool_call_input.done', { ...place, input });
      break;
    default:
      emit('response.output_item.added', { output_index, item: empty });
  }
  emit('response.output_item.done', { output_index, item });
}

function partEvents(part: JsonObject, place: object, emit: Emit): void {
  if (part['type'] === 'refusal') {
    const { refusal } = part;
    emit('response.content_part.added', { ...place, part: { ...part, refusal: '' } });
    emit('response.refusal.delta', { ...place, delta: refusal });
    emit('response.refusal.done', { ...place, refusal });
  } else {
    const { text, annotations, logprobs = [] } = part;
    emit('response.content_part.added', { ...place, part: { ...part, text: '', annotations: [] } });
    emit('response.output_text.delta', { ...place, delta: text, logprobs });
    if (isArray(annotations)) {
      for (const [annotation_index, annotation] of annotations.entries()) {
        emit('response.output_text.annotation.added', { ...place, annotation_index, annotation });
      }
    }
    emit('response.output_text.done', { ...place, text, logprobs });
  }
  emit('response.content_part.done', { ...place, part });
}
