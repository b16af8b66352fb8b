import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { ReceivedRequest } from './provider.ts';

type Data = string | ArrayBuffer | ArrayBufferView;

/** What the signer of AWS's SDKs hashes with. */
export class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: Data) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: Data): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {}
}

function bytesOf(data: Data): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Why AWS would refuse a request that should be signed with these keys; undefined: it would not. */
export async function signatureFault(
  request: ReceivedRequest,
  credentials: SigningKeys,
  scope: { region: string; service: string },
): Promise<string | undefined> {
  const { authorization = '', host = '' } = request.headers;
  const date = String(request.headers['x-amz-date']);
  const [, id, names = ''] = /Credential=([^/]+)\/.*SignedHeaders=([^,]+),/.exec(authorization) ?? [];
  if (id !== credentials.accessKeyId) return 'The security token included in the request is invalid.';
  if (request.headers['x-amz-security-token'] !== credentials.sessionToken) return 'The session token is another one.';
  const [pathname = '', query = ''] = request.path.split('?');
  const headers = Object.fromEntries(names.split(';').map((name) => [name, String(request.headers[name])]));
  const at = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (Math.abs(Date.now() - Date.parse(at)) > 300_000) return `Signature expired: ${date}`;
  const signer = new SignatureV4({ ...scope, credentials, sha256: Sha256, applyChecksum: false });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: 'https:',
      hostname: host,
      path: pathname,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: { ...headers, host },
      body: request.body,
    },
    { signingDate: new Date(at) },
  );
  const signature = (line: string | undefined) => /Signature=([0-9a-f]+)/.exec(line ?? '')?.[1];
  if (signature(signed.headers['authorization']) === signature(authorization)) return undefined;
  const words = `The request signature we calculated does not match the signature you provided. Canonical: ${authorization}`;
  return `${words} ${credentials.sessionToken ?? ''}`;
}
