import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';

/** What a provider says about a request it refused, whatever shape it says it in. */
export interface ProviderFault {
  message: string | undefined;
  type: string | undefined;
  code: string | undefined;
  param: string | undefined;
  /** The HTTP status that its own code stands for: what counts where the answer's is 200. */
  status: number | undefined;
}

/** Longer ones quote the prompt back, and an error is for reading. */
const MAX_MESSAGE_CHARACTERS = 2000;
const MAX_LABEL_CHARACTERS = 200;
const MAX_LIST_ENTRIES = 5;

/**
 * Recorded shapes: {error: {message, type, code, param}} (most), {error: "…", code} (xAI), {message} (Cohere, Bedrock;
 * {Message} where AWS refuses a key),
 * {detail: "…"} (Mistral), {detail: [{loc, msg}]} (FastAPI, vLLM), {object: "error", message} (older vLLM),
 * [{error: …}] (Gemini), plain text, and the HTML of whatever stands in between.
 */
export function readProviderFault(body: Buffer): ProviderFault {
  const text = body.toString('utf8').trim();
  if (text.startsWith('{') || text.startsWith('[')) {
    try {
      const value: unknown = JSON.parse(text);
      return fromJson(isArray(value) ? value[0] : value);
    } catch {
      // Cut at the bound, or not JSON at all: the text itself is the best there is.
    }
  }
  return {
    message: bounded(text.startsWith('<') ? htmlTitle(text) : text),
    type: undefined,
    code: undefined,
    param: undefined,
    status: undefined,
  };
}

function fromJson(value: unknown): ProviderFault {
  if (!isObject(value)) {
    const message = bounded(stringOf(value));
    return { message, type: undefined, code: undefined, param: undefined, status: undefined };
  }
  const inner = objectOf(value['error']);
  const source = inner ?? value;
  return {
    message: bounded(message(source) ?? message(value)),
    type: label(source['type'] ?? source['status'] ?? source['error_type']),
    code: label(source['code']),
    param: label(source['param']),
    status: statusOf(source['code']) ?? statusOf(source['status']) ?? statusOf(value['code']),
  };
}

function statusOf(code: unknown): number | undefined {
  const status = typeof code === 'string' ? Number(code) : code;
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}

function message(source: JsonObject): string | undefined {
  for (const key of [
    'message',
    'Message',
    'error',
    'detail',
    'msg',
    'error_description',
    'error_message',
    'error_msg',
    'title',
  ]) {
    const value = source[key];
    if (typeof value === 'string' && value !== '') return value;
    if (isArray(value)) return list(value);
    if (isObject(value)) return message(value);
  }
  return isArray(source['errors']) ? list(source['errors']) : undefined;
}

/** FastAPI's list of faults: `body.messages: Field required`. */
function list(entries: readonly unknown[]): string | undefined {
  const lines: string[] = [];
  for (const entry of entries.slice(0, MAX_LIST_ENTRIES)) {
    if (typeof entry === 'string') lines.push(entry);
    else if (isObject(entry)) {
      const said = message(entry);
      const place = isArray(entry['loc']) ? `${entry['loc'].join('.')}: ` : '';
      if (said !== undefined) lines.push(place + said);
    }
  }
  return lines.length > 0 ? lines.join('; ') : undefined;
}

function htmlTitle(html: string): string | undefined {
  // Only so far: over 64 KiB of `<title` the search would go back for each of them.
  return /<title[^>]*>([^<]*)<\/title>/i.exec(html.slice(0, 2048))?.[1]?.trim();
}

function bounded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  return text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
}

/** Types and codes are words, but some providers number them. */
function label(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : stringOf(value);
  return text === undefined || text === '' ? undefined : text.slice(0, MAX_LABEL_CHARACTERS);
}
