import { countOf, isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { ContentEvent } from '../../inference/event.ts';

/** The bound of one candidate; a text that recites more sources than these is told without the rest. */
const MAX_RECITED = 1_000;

/**
 * Sources of a candidate: those of a search with the part of the answer that each supports, and those that it recited.
 * Pieces of a stream tell them again, with more in them: the last word of each counts, and places are those of the whole
 * text, so all of it is told at the end. What the search says also goes out as `grounding_metadata`, since its terms ask
 * to show the search suggestion. https://ai.google.dev/gemini-api/docs/google-search#grounding-response
 */
export class CitationReader {
  #grounding: JsonObject | undefined;
  #urlContext: JsonObject | undefined;
  /** The citations by their text. */
  readonly #recited = new Map<string, JsonObject>();

  read(candidate: JsonObject): void {
    const grounding = objectOf(candidate['groundingMetadata']);
    if (grounding) this.#grounding = { ...this.#grounding, ...grounding };
    this.#urlContext = objectOf(candidate['urlContextMetadata']) ?? this.#urlContext;
    const metadata = objectOf(candidate['citationMetadata']);
    const list = metadata?.['citationSources'] ?? metadata?.['citations'];
    if (!isArray(list)) return;
    for (const source of list) {
      if (isObject(source) && this.#recited.size < MAX_RECITED) this.#recited.set(JSON.stringify(source), source);
    }
  }

  end(text: string, push: (event: ContentEvent) => void): void {
    const grounding = this.#grounding;
    if (grounding && Object.keys(grounding).length > 0) {
      pushGrounding(grounding, text, push);
      push({ type: 'extension', key: 'grounding_metadata', value: grounding });
    }
    if (this.#urlContext) push({ type: 'extension', key: 'url_context_metadata', value: this.#urlContext });
    if (this.#recited.size === 0) return;
    const sources = [...this.#recited.values()];
    for (const source of sources) {
      const url = stringOf(source['uri']);
      if (url) push({ type: 'citation', url, title: stringOf(source['title']), ...place(source, text) });
    }
    // License and date of what was recited, and what has no address.
    push({ type: 'extension', key: 'citation_metadata', value: { citations: sources } });
  }
}

function pushGrounding(grounding: JsonObject, text: string, push: (event: ContentEvent) => void): void {
  const chunks = grounding['groundingChunks'];
  const supports = grounding['groundingSupports'];
  if (!isArray(chunks)) return;
  let cited = 0;
  for (const support of isArray(supports) ? supports : []) {
    const indices = objectOf(support)?.['groundingChunkIndices'];
    const segment = objectOf(objectOf(support)?.['segment']);
    if (!isArray(indices) || segment === undefined) continue;
    const at = place(segment, text);
    for (const index of indices) cited += pushChunk(chunks[Number(index)], at, push);
  }
  if (cited === 0) for (const chunk of chunks) pushChunk(chunk, {}, push);
}

/** How many citations it made: one, or none. */
function pushChunk(chunk: unknown, at: Place, push: (event: ContentEvent) => void): number {
  for (const kind of ['web', 'retrievedContext', 'maps', 'image']) {
    const source = objectOf(objectOf(chunk)?.[kind]);
    const url = stringOf(source?.['uri']) ?? stringOf(source?.['sourceUri']);
    if (url === undefined) continue;
    push({ type: 'citation', url, title: stringOf(source?.['title']), ...at });
    return 1;
  }
  return 0;
}

interface Place {
  start?: number;
  end?: number;
}

/**
 * Gemini counts bytes of UTF-8, of one part where there are several; OpenAI's clients count in strings of the whole text.
 * The words that it cites tell where that is. Where they stand nowhere there is no place.
 */
function place(segment: JsonObject, text: string): Place {
  const end = countOf(segment['endIndex']);
  if (end === undefined) return {};
  const bytes = Buffer.from(text);
  const words = stringOf(segment['text']);
  const start = countOf(segment['startIndex']) ?? 0;
  if (end <= bytes.length && start <= end) {
    const at = bytes.toString('utf8', 0, start).length;
    const said = bytes.toString('utf8', start, end);
    if (words === undefined || words === said) return { start: at, end: at + said.length };
  }
  const found = words ? text.indexOf(words) : -1;
  return words === undefined || found < 0 ? {} : { start: found, end: found + words.length };
}
