import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/** What Bedrock runs itself is told with this type; it is no call for the client. */
const SERVER_TOOL = 'server_tool_use';

export function isServerTool(call: JsonObject): boolean {
  return call['type'] === SERVER_TOOL;
}

/** `{format: 'png', source: {bytes}}`: what image models answer with. In a stream the format came before. */
export function pushMedia(
  type: 'image' | 'audio',
  media: JsonObject | undefined,
  format: string | undefined,
  out: InferenceEvent[],
): void {
  const base64 = stringOf(objectOf(media?.['source'])?.['bytes']);
  if (base64 === undefined) return;
  const told = stringOf(media?.['format']) ?? format;
  if (type === 'image') out.push({ type, mediaType: `image/${told ?? 'png'}`, base64 });
  else out.push({ type, mediaType: `audio/${told ?? 'mpeg'}`, base64 });
}

/** What Bedrock's own tools were asked and found, block by block as it says it. */
export function pushServerTool(block: JsonObject, out: InferenceEvent[]): void {
  out.push({ type: 'extension', key: 'server_tools', value: [block] });
}

/** Content of a kind that OpenAI has none of; marks between the blocks say nothing to the client. */
export function pushOther(block: JsonObject, out: InferenceEvent[]): void {
  if ('cachePoint' in block || Object.keys(block).length === 0) return;
  out.push({ type: 'extension', key: 'other_content', value: [block] });
}

/**
 * What guardrails and prompt routers tell of their work, and what the client asked to see of the model's own answer; both
 * stand in the whole answer, and in `metadata` and `messageStop` of a stream.
 */
export function pushBeside(source: JsonObject, out: InferenceEvent[]): void {
  const { trace, additionalModelResponseFields: fields } = source;
  if (isObject(trace)) out.push({ type: 'extension', key: 'trace', value: trace });
  if (fields !== undefined && fields !== null) {
    out.push({ type: 'extension', key: 'additional_model_response_fields', value: fields });
  }
}

/** `citations` as a list. */
export function citationsOf(block: JsonObject): readonly JsonObject[] {
  const list = block['citations'];
  return isArray(list) ? list.filter(isObject) : [];
}
