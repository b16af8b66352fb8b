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
export async function fetchKeySet(uri: string, stop: AbortSignal): Promise<FetchedKeySet> {
  if (!isTrusted(uri)) return { fault: 'the address must be https, or http on this machine' };
  try {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(DEADLINE_MS)]);
    const answer = await fetch(uri, { signal, redirect: 'error', headers: { accept: 'application/json' } });
    if (answer.status !== 200) {
      await answer.body?.cancel();
      return { fault: `the answer was ${answer.status}` };
    }
    const body = await boundedText(answer);
    if (body === undefined) return { fault: `the answer is longer than ${MAX_BYTES} bytes` };
    const read = readKeySet(body);
    return 'fault' in read ? read : { keys: read.keys, maxAgeMs: maxAgeMs(answer.headers.get('cache-control')) };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

/** Where nobody between us and the issuer can put keys of their own in. */
function isTrusted(uri: string): boolean {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url?.protocol === 'https:') return true;
  return url?.protocol === 'http:' && /^(127(\.\d+){3}|localhost|\[::1\])$/.test(url.hostname);
}

async function boundedText(answer: Response): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  if (answer.body === null) return '';
  // Leaving the loop cancels the rest.
  for await (const piece of answer.body) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** RFC 9111 §5.2.2.1, bounded: keys that are never asked for again could not be withdrawn, nor new ones found. */
export function maxAgeMs(cacheControl: string | null): number {
  const seconds = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,10})/i.exec(cacheControl ?? '')?.[1];
  if (seconds === undefined) return AGE_MS.usual;
  return Math.min(AGE_MS.most, Math.max(AGE_MS.least, Number(seconds) * 1000));
}

function faultOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${DEADLINE_MS} ms`;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? reasonOf(error) : `${reasonOf(error)}: ${reasonOf(cause)}`;
}
