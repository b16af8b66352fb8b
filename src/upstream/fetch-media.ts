import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { MediaSettings } from '../config/server/media.ts';
import type { UpstreamSettings } from '../config/server/upstream.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import { withoutBrackets } from '../core/host-name.ts';
import { AnswerTooLong, type HttpAnswer, headerOf } from '../core/http-client.ts';
import { Connectors } from './connector.ts';
import { oneRequest } from './one-request.ts';
import { proxyFor } from './proxy-choice.ts';
import { isPublicAddress } from './public-address.ts';

/** An image or a file from an address on the web. */
export interface FetchedFile {
  readonly bytes: Uint8Array;
  /** By its first bytes where these are known, else by the label of its server, else by the ending of its name. */
  readonly mediaType: string;
}

export interface MediaFetchSettings {
  readonly media: MediaSettings;
  readonly upstream: UpstreamSettings;
}

const MAX_REDIRECTS = 3;

/**
 * Fetches images and files that a client names by address, for providers that take bytes alone. A client must reach
 * nothing through us that it does not reach by itself: each name is resolved once, every address is checked, and the
 * connection goes to that very address, also behind a redirect and through a proxy.
 */
export class MediaFetches {
  #known: { readonly upstream: UpstreamSettings; readonly connectors: Connectors } | undefined;
  #running = 0;

  /** Fetches one after another, so that `media.max_bytes` bounds what is held at once. */
  async fetch(
    addresses: readonly string[],
    { media, upstream }: MediaFetchSettings,
    signal: AbortSignal,
  ): Promise<OrError<Map<string, FetchedFile>>> {
    const { maxFiles, maxBytes, timeoutMs, maxConcurrent } = media;
    if (addresses.length > maxFiles) {
      const detail = `The request names ${addresses.length} by address.`;
      return refused(detail, `media.max_files: ${maxFiles}`);
    }
    if (this.#running >= maxConcurrent) {
      const setting = `media.max_concurrent: ${maxConcurrent}`;
      return new GatewayError('overloaded', {
        detail: 'Too many files are being fetched.',
        setting,
        retryAfterMs: 1000,
      });
    }
    this.#running += 1;
    try {
      const deadline = performance.now() + timeoutMs;
      const fetched = new Map<string, FetchedFile>();
      let left = maxBytes;
      for (const address of addresses) {
        const asked = { media, upstream, signal, deadline, left };
        const file = await this.#file(address, asked);
        if (file instanceof GatewayError) return file;
        left -= file.bytes.length;
        fetched.set(address, file);
      }
      return fetched;
    } finally {
      this.#running -= 1;
    }
  }

  async #file(address: string, asked: Asked): Promise<OrError<FetchedFile>> {
    let url = address;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const answer = await this.#ask(url, asked);
      if (answer instanceof GatewayError) return answer;
      const next = answer.status >= 300 && answer.status <= 399 ? headerOf(answer, 'location') : undefined;
      if (next === undefined) return fileOf(answer, url);
      if (!URL.canParse(next, url)) return refused(`${hostOf(url)} redirects to no address.`);
      url = new URL(next, url).href;
    }
    return refused(`${hostOf(address)} redirects more than ${MAX_REDIRECTS} times.`);
  }

  async #ask(address: string, { media, upstream, signal, deadline, left }: Asked): Promise<OrError<HttpAnswer>> {
    if (!URL.canParse(address)) return refused('An address of the request is no URL.');
    const url = new URL(address);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return refused(`${hostOf(address)} is not http(s).`);
    if (url.username !== '' || url.password !== '')
      return refused('An address with a user name or password is not fetched.');
    const late = refused(`${url.host} took too long.`, `media.timeout_ms: ${media.timeoutMs}`);
    const place = await within(deadline, signal, placeOf(url, media.privateHosts));
    if (place === undefined) return late;
    if (place instanceof GatewayError) return place;
    const timeoutMs = Math.max(1, Math.ceil(deadline - performance.now()));
    const port = url.port === '' ? '' : `:${url.port}`;
    // The proxy is chosen by the name; it is then told the address that was checked.
    const proxy = proxyFor({ origin: url.origin, credential: '' }, upstream) ?? 'none';
    const origin = `${url.protocol}//${isIP(place) === 6 ? `[${place}]` : place}${port}`;
    try {
      return await oneRequest(this.#connectors(upstream), {
        connection: { origin, credential: '', proxy },
        path: url.pathname + url.search,
        headers: ['host', url.host, 'accept', '*/*', 'accept-encoding', 'identity', 'user-agent', 'Sluice'],
        timeoutMs,
        maxBytes: left,
        signal,
      });
    } catch (cause) {
      if (performance.now() >= deadline) return late;
      if (cause instanceof AnswerTooLong) {
        return refused('The files of the request are too large.', `media.max_bytes: ${media.maxBytes}`);
      }
      return new GatewayError('media_not_fetched', { param: 'messages', detail: `${url.host} gave no answer.`, cause });
    }
  }

  /** Made once for a configuration: with private authorities that takes some 100 ms. */
  #connectors(upstream: UpstreamSettings): Connectors {
    if (this.#known?.upstream !== upstream) this.#known = { upstream, connectors: new Connectors(upstream) };
    return this.#known.connectors;
  }
}

interface Asked extends MediaFetchSettings {
  readonly signal: AbortSignal;
  readonly deadline: number;
  /** Bytes that may still come. */
  readonly left: number;
}

/** The address to connect to: the first public one where a name has several. */
async function placeOf(url: URL, privateHosts: readonly string[]): Promise<OrError<string>> {
  const host = withoutBrackets(url.hostname);
  const mayBePrivate = privateHosts.includes(host.toLowerCase());
  let addresses: readonly string[];
  try {
    addresses = isIP(host) === 0 ? (await lookup(host, { all: true })).map(({ address }) => address) : [host];
  } catch (cause) {
    return new GatewayError('media_not_fetched', { param: 'messages', detail: `${host} is not known.`, cause });
  }
  const place = addresses.find((address) => mayBePrivate || isPublicAddress(address));
  return place ?? refused(`${host} is not on the public net (allowed: hosts in media.private_hosts).`);
}

/** Undefined: it took longer. The look-up of a name cannot be aborted; its late answer is dropped. */
async function within<T>(deadline: number, signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const over = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    timer = setTimeout(stop, Math.max(1, deadline - performance.now()));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
    if (stop) signal.removeEventListener('abort', stop);
  }
}

function fileOf(answer: HttpAnswer, url: string): OrError<FetchedFile> {
  const { status, body } = answer;
  if (status !== 200) return refused(`${hostOf(url)} answered ${status}.`);
  const encoding = headerOf(answer, 'content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return refused(`${hostOf(url)} compressed its answer although asked not to.`);
  }
  const mediaType = mediaTypeOf(headerOf(answer, 'content-type'), body, new URL(url).pathname);
  if (mediaType === undefined) return refused(`The file of ${hostOf(url)} has no known media type.`);
  return { bytes: body, mediaType };
}

function hostOf(url: string): string {
  return new URL(url).host;
}

function refused(detail: string, setting?: string): GatewayError {
  return new GatewayError('media_not_fetched', { param: 'messages', detail, ...(setting && { setting }) });
}

/** The first bytes of files: https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern, and PDF. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['%PDF-', 'application/pdf'],
];

const ENDINGS: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['csv', 'text/csv'],
  ['html', 'text/html'],
  ['json', 'application/json'],
]);

/** Labels of servers that do not know what they serve. */
const UNTELLING: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'image/jpg']);

/** By the first bytes where these are known, else by the label, else by the ending of the name. */
function mediaTypeOf(label: string | undefined, bytes: Buffer, path: string): string | undefined {
  const beginning = bytes.toString('latin1', 0, 12);
  for (const [begins, type] of BEGINNINGS) if (beginning.startsWith(begins)) return type;
  if (beginning.startsWith('RIFF') && beginning.endsWith('WEBP')) return 'image/webp';
  const told = label?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!UNTELLING.has(told)) return told;
  const ending = /\.([a-z0-9]{1,5})$/i.exec(path)?.[1]?.toLowerCase();
  return ENDINGS.get(ending ?? '');
}
