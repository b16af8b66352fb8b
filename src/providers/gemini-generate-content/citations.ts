import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { InferenceEvent } from '../../inference/event.ts';

/**
 * Sources of a candidate: those of a search with the part of the answer that each supports, and those that it recited.
 * All of what the search says also goes out as `grounding_metadata`, since its terms ask to show the search suggestion.
 * https://ai.google.dev/gemini-api/docs/google-search#grounding-response
 */
export function pushCitations(candidate: JsonObject, text: string, choice: number, out: InferenceEvent[]): void {
  const grounding = objectOf(candidate['groundingMetadata']);
  if (grounding && Object.keys(grounding).length > 0) {
    pushGrounding(grounding, text, choice, out);
    out.push({ type: 'extension', key: 'grounding_metadata', value: grounding, choice });
  }
  const context = candidate['urlContextMetadata'];
  if (isObject(context)) out.push({ type: 'extension', key: 'url_context_metadata', value: context, choice });
  const recited = objectOf(candidate['citationMetadata']);
  const list = recited?.['citationSources'] ?? recited?.['citations'];
  if (!isArray(list)) return;
  for (const source of list) {
    const url = isObject(source) ? stringOf(source['uri']) : undefined;
    if (url === undefined || !isObject(source)) continue;
    out.push({ type: 'citation', url, title: stringOf(source['title']), ...place(source, text), choice });
  }
}

function pushGrounding(grounding: JsonObject, text: string, choice: number, out: InferenceEvent[]): void {
  const chunks = grounding['groundingChunks'];
  const supports = grounding['groundingSupports'];
  if (!isArray(chunks)) return;
  const cited = isArray(supports) ? supports : [];
  for (const support of cited) {
    const indices = objectOf(support)?.['groundingChunkIndices'];
    const segment = objectOf(objectOf(support)?.['segment']);
    if (!isArray(indices) || segment === undefined) continue;
    for (const index of indices) pushChunk(chunks[Number(index)], place(segment, text), choice, out);
  }
  if (cited.length === 0) for (const chunk of chunks) pushChunk(chunk, {}, choice, out);
}

function pushChunk(chunk: unknown, at: Place, choice: number, out: InferenceEvent[]): void {
  const source = objectOf(
    objectOf(chunk)?.['web'] ?? objectOf(chunk)?.['retrievedContext'] ?? objectOf(chunk)?.['maps'],
  );
  const url = stringOf(source?.['uri']);
  if (url !== undefined) out.push({ type: 'citation', url, title: stringOf(source?.['title']), ...at, choice });
}

interface Place {
  start?: number;
  end?: number;
}

/** Gemini counts bytes of UTF-8; OpenAI's clients count in their strings. Beyond what is known there is no place. */
function place(segment: JsonObject, text: string): Place {
  const end = countOf(segment['endIndex']);
  if (end === undefined) return {};
  const bytes = Buffer.from(text);
  if (end > bytes.length) return {};
  const start = countOf(segment['startIndex']) ?? 0;
  return { start: bytes.toString('utf8', 0, start).length, end: bytes.toString('utf8', 0, end).length };
}
