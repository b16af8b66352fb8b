import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { isObject, stringOf } from '../../codec/json-value.ts';
import type { HttpClient } from '../../core/http-client.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { FetchedToken } from '../credential.ts';

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 1024 * 1024;
/** Where the answer does not say it. */
const USUAL_LIFE_MS = 3_600_000;

export interface WorkloadAuth {
  readonly cdp_base_url: string;
  readonly access_key_id: string;
  readonly private_key: string;
  readonly workload_name: string;
}

/** https://docs.cloudera.com/cdp-public-cloud/cloud/cli/topics/mc-generating-an-api-access-key.html */
export async function workloadToken(
  { cdp_base_url: base, access_key_id, private_key, workload_name: workloadName }: WorkloadAuth,
  http: HttpClient,
  way: { readonly signal: AbortSignal; readonly proxy: string | undefined },
): Promise<FetchedToken> {
  const url = new URL(base + operationPath(base));
  const date = new Date().toUTCString();
  const answer = await http({
    url: url.href,
    method: 'POST',
    headers: [
      'content-type',
      CONTENT_TYPE,
      'x-altus-date',
      date,
      'x-altus-auth',
      signature(date, url.pathname, access_key_id, accessKey(private_key)!),
    ],
    body: JSON.stringify({ workloadName }),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    ...way,
  });
  const said = jsonOf(answer.body);
  const token = stringOf(said['token']);
  if (answer.status !== 200 || token === undefined) {
    const reason = readProviderFault(answer.body).message ?? 'no token and no reason';
    throw new Error(`${url.host} answered ${answer.status}: ${reason}`);
  }
  const expiresAtMs = Date.parse(stringOf(said['expireAt']) ?? '');
  return { values: { token }, expiresAtMs: expiresAtMs > 0 ? expiresAtMs : Date.now() + USUAL_LIFE_MS };
}

const CONTENT_TYPE = 'application/json';

/** The oldest region has its own service for identities; all others have it behind the common path. */
function operationPath(base: string): string {
  return /altus\.cloudera\.com$/.test(new URL(base).hostname)
    ? '/iam/generateWorkloadAuthToken'
    : '/api/v1/iam/generateWorkloadAuthToken';
}

/** Version 1 of Cloudera's request signature, as its own clients make it. */
function signature(date: string, path: string, accessKeyId: string, key: KeyObject): string {
  const isRsa = key.asymmetricKeyType === 'rsa';
  const method = isRsa ? 'rsav1' : 'ed25519v1';
  const signed = sign(isRsa ? 'sha256' : null, Buffer.from(['POST', CONTENT_TYPE, date, path, method].join('\n')), key);
  const head = JSON.stringify({ access_key_id: accessKeyId, auth_method: method });
  return `${Buffer.from(head).toString('base64url')}.${signed.toString('base64url')}`;
}

/** Cloudera gives 32 bytes of Ed25519 as base64, or an RSA key in PEM form; undefined: it is neither. */
export function accessKey(written: string): KeyObject | undefined {
  const text = written.replaceAll('\\n', '\n').trim();
  try {
    if (text.startsWith('-----')) return createPrivateKey(text);
    const seed = Buffer.from(text, 'base64');
    if (seed.length !== 32) return undefined;
    return createPrivateKey({ key: Buffer.concat([PKCS8_OF_ED25519, seed]), format: 'der', type: 'pkcs8' });
  } catch {
    // Not a key: the schema says so.
    return undefined;
  }
}

/** What stands before the 32 bytes in PKCS #8: https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const PKCS8_OF_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (isObject(value)) return value;
  } catch {
    // A page of whatever stands in between: it holds no token.
  }
  return {};
}
