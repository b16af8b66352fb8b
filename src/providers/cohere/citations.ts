import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/**
 * What an answer cites are documents and results of tools, which the client sent: they go out as Cohere said them, in the
 * list `citations` of the message. A source with an address on the web is a citation as OpenAI has it as well.
 * https://docs.cohere.com/docs/documents-and-citations
 */
export function pushCitations(value: unknown, out: InferenceEvent[]): void {
  for (const citation of isArray(value) ? value : [value]) {
    if (!isObject(citation)) continue;
    out.push({ type: 'extension', key: 'citations', value: [citation] });
    const { sources } = citation;
    if (isArray(sources)) for (const source of sources) if (isObject(source)) pushSource(source, citation, out);
  }
}

function pushSource(source: JsonObject, citation: JsonObject, out: InferenceEvent[]): void {
  const document = objectOf(source['document']) ?? objectOf(source['tool_output']);
  const url = stringOf(document?.['url']);
  if (url === undefined || !/^https?:\/\//i.test(url)) return;
  // Places in thoughts and plans are not places in the text of the answer.
  const placed = citation['type'] === undefined || citation['type'] === 'TEXT_CONTENT';
  const place = placed ? { start: countOf(citation['start']), end: countOf(citation['end']) } : {};
  out.push({ type: 'citation', url, title: stringOf(document?.['title']), ...place });
}
