import { type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/** Where the text stands that a source supports, in UTF-16 units of the answer. */
export interface CitedText {
  readonly start: number;
  readonly end: number;
}

/**
 * A source on the web is a citation as OpenAI has it; one within a document that the client sent goes out as Bedrock said
 * it, in the list `citations` of the message.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html
 */
export function pushCitation(citation: JsonObject, { start, end }: CitedText, out: InferenceEvent[]): void {
  const web = objectOf(objectOf(citation['location'])?.['web']);
  const url = stringOf(web?.['url']);
  if (url === undefined) out.push({ type: 'extension', key: 'citations', value: [citation] });
  else out.push({ type: 'citation', url, title: stringOf(citation['title']), ...(end > start && { start, end }) });
}
