import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { NeutralRequest } from '../inference/neutral-request.ts';
import type { Part } from '../inference/request.ts';
import type { Translation, TranslationTarget } from '../providers/provider.ts';
import type { FetchedFile } from '../upstream/fetch-media.ts';

/** By address, as the client wrote it. Plain, since a large request is translated in another thread. */
export type FetchedMedia = ReadonlyMap<string, FetchedFile>;

/**
 * Fetches what a request names, all of it or an error that says which setting bounds it. Never from an address that is
 * not public.
 */
export type MediaFetcher = (addresses: readonly string[], signal: AbortSignal) => Promise<OrError<FetchedMedia>>;

/**
 * Puts what was fetched in the place of addresses that the provider does not read itself. An error with `wanted` names
 * those that are still to be fetched.
 */
export function inlineMedia(
  request: NeutralRequest,
  { takesBytesAlone }: Translation,
  { modelId }: TranslationTarget,
  fetched: FetchedMedia | undefined,
): GatewayError | undefined {
  if (takesBytesAlone === undefined) return undefined;
  const wanted = new Set<string>();
  const inlined = <P extends Part>(part: P): P => {
    if (part.type === 'tool-result') return { ...part, parts: part.parts.map(inlined) };
    const address = webAddress(part);
    if (address === undefined || !takesBytesAlone(part, modelId)) return part;
    const file = fetched?.get(address);
    // The same type of part, with bytes in the place of its address.
    if (file !== undefined) return withBytes(part, file) as P;
    wanted.add(address);
    return part;
  };
  let param = 'messages';
  if ('messages' in request) {
    for (const message of request.messages) {
      if (message.parts.some(mayBeByAddress)) message.parts = message.parts.map(inlined);
    }
  } else if ('document' in request) {
    param = 'document';
    request.document = inlined(request.document);
  }
  return wanted.size === 0 ? undefined : new GatewayError('media_not_fetched', { param, wanted: [...wanted] });
}

function mayBeByAddress(part: Part): boolean {
  return part.type === 'tool-result' ? part.parts.some(mayBeByAddress) : webAddress(part) !== undefined;
}

function webAddress(part: Part): string | undefined {
  const address = part.type === 'image' ? ('url' in part.source ? part.source.url : undefined) : fileAddress(part);
  return address !== undefined && /^https?:\/\//i.test(address) ? address : undefined;
}

function fileAddress(part: Part): string | undefined {
  return part.type === 'file' ? part.url : undefined;
}

function withBytes(part: Part, { bytes, mediaType }: FetchedFile): Part {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  if (part.type === 'image') return { ...part, source: { base64, mediaType } };
  if (part.type !== 'file') return part;
  const { url = '', filename, ...rest } = part;
  return { ...rest, base64, mediaType, filename: filename ?? nameIn(url) };
}

function nameIn(url: string): string | undefined {
  const name = URL.canParse(url) ? new URL(url).pathname.split('/').at(-1) : undefined;
  return name ? decoded(name) : undefined;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    // A name with a percent sign that encodes nothing is a name as well.
    return name;
  }
}
