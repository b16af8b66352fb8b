import { isArray, isObject, type JsonObject, objectOf } from '../codec/json-value.ts';
import { slotsBelow, type TextSlot, wordsBelow } from '../dialects/guarded-form.ts';

/** Where words stand in messages of MCP, for guards. https://modelcontextprotocol.io/specification/2026-07-28/schema */

/** What a client says to a server: arguments, the address of a resource, what is to be completed, answers to questions. */
export function askedWords({ params, result }: JsonObject): TextSlot[] {
  const found: TextSlot[] = [];
  const about = { kind: 'text', role: 'user' } as const;
  for (const key of ['arguments', 'inputResponses', 'uri', 'context']) slotsBelow(params, key, about, found);
  slotsBelow(objectOf(params)?.['argument'], 'value', about, found);
  // A client's answer to a question of the server.
  if (isObject(result)) wordsBelow({ result }, 'result', about, found, isNoWord);
  return found;
}

/** Names of kinds, ids, media, addresses that the protocol needs, and what is told twice. */
const NO_WORDS = new Set([
  '_meta',
  'annotations',
  'blob',
  'code',
  'cursor',
  'elicitationId',
  'icons',
  'id',
  'level',
  'method',
  'mimeType',
  'model',
  'nextCursor',
  'progressToken',
  'requestState',
  'resultType',
  'role',
  'status',
  'stopReason',
  'structuredContent',
  'taskId',
  'type',
  'url',
]);

/** Keys in the data of an error that say where a user goes to agree. */
const NO_WORDS_OF_ERRORS = new Set(['authorization_url', 'code', 'elicitationId', 'mode', 'url']);

/** What a server says: results and errors, and on its streams notifications and questions. */
export function toldWords({ result, error, params, method }: JsonObject): TextSlot[] {
  const found: TextSlot[] = [];
  const about = { kind: 'text' } as const;
  if (isObject(result)) ofResult(result, found);
  if (isObject(error)) wordsBelow({ error }, 'error', about, found, (key) => NO_WORDS_OF_ERRORS.has(key));
  if (isObject(params)) wordsBelow({ params }, 'params', about, found, isNoWord);
  // What a server logs may be anything.
  if (method === 'notifications/message') slotsBelow(params, 'data', about, found);
  return found;
}

function ofResult(result: JsonObject, found: TextSlot[]): void {
  const about = { kind: 'text' } as const;
  wordsBelow({ result }, 'result', about, found, isNoWord);
  slotsBelow(result, 'structuredContent', about, found);
  // A task of the newer era has its result within.
  slotsBelow(objectOf(result['result']), 'structuredContent', about, found);
  const meta = objectOf(result['_meta']) ?? {};
  for (const key of Object.keys(meta)) {
    if (!key.startsWith('io.modelcontextprotocol/')) slotsBelow(meta, key, about, found);
  }
}

function isNoWord(key: string, holder: JsonObject | readonly unknown[]): boolean {
  if (isArray(holder)) return false;
  // Media, and the addresses of what a client asked for; a link that a tool gives is as good as a word.
  if (key === 'data') return holder['mimeType'] !== undefined || holder['level'] !== undefined;
  return key === 'uri' ? holder['type'] !== 'resource_link' : NO_WORDS.has(key);
}
