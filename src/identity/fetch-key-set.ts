import { type HttpClient, headerOf } from '../core/http-client.ts';
import { reasonOf } from '../store/store-fault.ts';
import { type ReadKeySet, readKeySet } from './issuer-key.ts';

const DEADLINE_MS = 5000;
const MAX_BYTES = 1024 * 1024;
const AGE_MS = { least: 5 * 60_000, most: 24 * 3_600_000, usual: 10 * 60_000 };

export type FetchedKeySet =
  | { keys: Extract<ReadKeySet, { keys: unknown }>['keys']; maxAgeMs: number }
  | { fault: string };

/**
 * The key set of an issuer: at most 5 seconds and 1 MiB. Redirects are not followed: whoever may send us elsewhere would
 * choose the keys. Never rejects; the fault names no part of the answer.
 */
export async function fetchKeySet(uri: string, stop: AbortSignal, http: HttpClient): Promise<FetchedKeySet> {
  if (!isTrusted(uri)) return { fault: 'the address must be https, or http on this machine' };
  try {
    const headers = ['accept', 'application/json', 'accept-encoding', 'identity'];
    const answer = await http({ url: uri, headers, timeoutMs: DEADLINE_MS, maxBytes: MAX_BYTES, signal: stop });
    if (answer.status >= 300 && answer.status < 400)
      return { fault: 'the answer was a redirect, which is not followed' };
    if (answer.status !== 200) return { fault: `the answer was ${answer.status}` };
    const read = readKeySet(answer.body.toString());
    return 'fault' in read ? read : { keys: read.keys, maxAgeMs: maxAgeMs(headerOf(answer, 'cache-control')) };
  } catch (error) {
    return { fault: reasonOf(error) };
  }
}

/** Where nobody between us and the issuer can put keys of their own in. */
function isTrusted(uri: string): boolean {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url?.protocol === 'https:') return true;
  return url?.protocol === 'http:' && /^(127(\.\d+){3}|localhost|\[::1\])$/.test(url.hostname);
}

/** RFC 9111 §5.2.2.1, bounded: keys that are never asked for again could not be withdrawn, nor new ones found. */
export function maxAgeMs(cacheControl: string | undefined): number {
  const seconds = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})/i.exec(cacheControl ?? '')?.[1];
  if (seconds === undefined) return AGE_MS.usual;
  return Math.min(AGE_MS.most, Math.max(AGE_MS.least, Number(seconds) * 1000));
}
