import { isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/**
 * A source on the web is a citation as OpenAI has it; one within a document that the client sent goes out as Bedrock said
 * it, in the list `citations` of the message.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html
 */
export function pushCitation(citation: JsonObject, out: InferenceEvent[]): void {
  const web = objectOf(objectOf(citation['location'])?.['web']);
  const url = stringOf(web?.['url']);
  if (url !== undefined) out.push({ type: 'citation', url, title: stringOf(citation['title']) });
  else if (isObject(citation)) out.push({ type: 'extension', key: 'citations', value: [citation] });
}
