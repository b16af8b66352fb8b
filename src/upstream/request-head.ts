/** Names and values as undici lets them pass (RFC 9110 §5.1, §5.5). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const PATH = /^[/?][\x21-\x7e\x80-\xff]*$/;
/**
 * Headers that are about the connection, or that ask for more than an answer: undici handles them, or refuses them.
 */
const UNUSUAL = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
]);
const USUAL_METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** A head without the length of its body. */
interface HeadParts {
  readonly method: string;
  readonly path: string;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
}

/**
 * Heads of requests to one origin. The last one is kept as bytes: most exchanges with a target differ in their bodies only
 * (load: chat-whole).
 */
export class RequestHeads {
  readonly #host: string;
  #method = '';
  #path = '';
  #headers: readonly string[] = [];
  #bytes: Buffer | undefined;

  /** `host`: as its header says it. */
  constructor(host: string) {
    this.#host = host;
  }

  /** The head up to its content-length line; undefined: the request is unusual, and for undici. */
  of({ method, path, headers }: HeadParts): Buffer | undefined {
    if (this.#bytes !== undefined && method === this.#method && path === this.#path && this.#same(headers)) {
      return this.#bytes;
    }
    if (!USUAL_METHODS.has(method) || !PATH.test(path)) return undefined;
    let host = this.#host;
    let lines = '';
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!;
      const value = headers[i + 1]!;
      if (!isUsual(name) || !VALUE.test(value)) return undefined;
      if (name.toLowerCase() !== 'host') lines += `${name}: ${value}\r\n`;
      else if (host !== this.#host) return undefined;
      else host = value;
    }
    const text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${lines}`;
    this.#method = method;
    this.#path = path;
    this.#headers = headers;
    this.#bytes = Buffer.from(text, 'latin1');
    return this.#bytes;
  }

  #same(headers: readonly string[]): boolean {
    const known = this.#headers;
    if (headers.length !== known.length) return false;
    for (let i = headers.length - 1; i >= 0; i -= 1) if (headers[i] !== known[i]) return false;
    return true;
  }
}

/** Names are checked once; the bound keeps made-up names from filling memory. */
const MAX_KNOWN_NAMES = 512;
const knownNames = new Map<string, boolean>();

function isUsual(name: string): boolean {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const usual = NAME.test(name) && !UNUSUAL.has(name.toLowerCase());
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(name, usual);
  return usual;
}
