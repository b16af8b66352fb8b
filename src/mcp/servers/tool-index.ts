import { createHash } from 'node:crypto';
import type MiniSearch from 'minisearch';
import { isArray, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { GenerationCache } from '../../core/generation-cache.ts';

/** Callers with the same tools share one; those that were used longest ago are made anew. */
const MAX_INDEXES = 32;

/** Finds tools by words of their names, descriptions and parameters. */
export class ToolIndex {
  readonly #indexes = new GenerationCache<MiniSearch>(MAX_INDEXES);

  /** The best first. */
  async search(tools: readonly JsonObject[], query: string, limit: number): Promise<JsonObject[]> {
    const index = await this.#indexOf(tools);
    return index
      .search(query)
      .slice(0, limit)
      .map(({ id }) => tools[Number(id)]!);
  }

  async #indexOf(tools: readonly JsonObject[]): Promise<MiniSearch> {
    const documents = tools.map(documentOf);
    const key = createHash('sha256').update(JSON.stringify(documents)).digest('base64url');
    const known = this.#indexes.get(key);
    if (known) return known;
    // Loaded when somebody searches.
    const { default: Index } = await import('minisearch');
    const index = new Index({
      fields: ['name', 'description', 'parameters'],
      tokenize: wordsOf,
      processTerm: stemOf,
      searchOptions: {
        boost: { name: 3, description: 2 },
        prefix: isLong,
        fuzzy: (term) => (isLong(term) ? 0.2 : false),
      },
    });
    index.addAll(documents);
    this.#indexes.set(key, index);
    return index;
  }
}

function isLong(term: string): boolean {
  return term.length > 3;
}

/** `createIssue` and `create_issue` are two words each. */
function wordsOf(text: string): string[] {
  return text
    .replaceAll(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** `adding`, `adds` and `add` are one word, `creates` and `creating` another. */
function stemOf(word: string): string {
  const lower = word.toLowerCase();
  return lower.replace(/(?<=.{3})(?:ing|ed|es|s|e)$/, '');
}

function documentOf(tool: JsonObject, id: number) {
  const parameters = Object.entries(propertiesOf(tool)).map(
    ([name, schema]) => `${name} ${stringOf(objectOf(schema)?.['description']) ?? ''}`,
  );
  const name = stringOf(tool['name']) ?? '';
  const title = stringOf(tool['title']) ?? '';
  return {
    id,
    // Without the suffix of a joint server, which is like a word by chance.
    name: `${name.replace(/_[0-9a-f]{8}$/, '')} ${title}`,
    description: stringOf(tool['description']) ?? '',
    parameters: parameters.join(' '),
  };
}

function propertiesOf(tool: JsonObject): JsonObject {
  return objectOf(objectOf(tool['inputSchema'])?.['properties']) ?? {};
}

/** `{owner: string, labels?: string[]}`: enough for most calls, in a few words. */
export function signatureOf(tool: JsonObject): string {
  const required = objectOf(tool['inputSchema'])?.['required'];
  const must = new Set(isArray(required) ? required : []);
  const parts = Object.entries(propertiesOf(tool)).map(
    ([name, schema]) => `${name}${must.has(name) ? '' : '?'}: ${typeOf(objectOf(schema))}`,
  );
  return `{${parts.join(', ')}}`;
}

const MAX_CHOICES = 10;

function typeOf(schema: JsonObject | undefined): string {
  if (!schema) return 'unknown';
  const { type, items } = schema;
  const choices = schema['enum'];
  if (isArray(choices) && choices.length <= MAX_CHOICES) return choices.map((each) => JSON.stringify(each)).join(' | ');
  if (type === 'array') return `${typeOf(objectOf(items))}[]`;
  if (isArray(type)) return type.join(' | ');
  return stringOf(type) ?? 'unknown';
}
