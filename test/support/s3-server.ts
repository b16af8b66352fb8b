import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';

export const S3_KEYS = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret/with+signs' };
export const S3_REGION = 'eu-test-1';

export interface S3Server extends AsyncDisposable {
  readonly origin: string;
  /** By `bucket/key`. */
  readonly objects: Map<string, Buffer>;
  /** Multipart uploads that are neither whole nor given up. */
  readonly uploads: Map<string, Map<number, Buffer>>;
  /** Requests so far, as `PUT bucket/key?query`. */
  readonly requests: string[];
  /** Answered with this status in place of the true one, for as long as it is set. */
  failWith: number | undefined;
}

class Sha256 {
  readonly #make: () => ReturnType<typeof createHash>;
  #hash: ReturnType<typeof createHash>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key =
      secret === undefined ? undefined : typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array);
    this.#make = () => (key === undefined ? createHash('sha256') : (createHmac('sha256', key) as never));
    this.#hash = this.#make();
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#make();
  }
}

/** As much of S3 as blobs need. Signatures are made anew by AWS's own code, which the gateway does not use, and compared. */
export async function startS3(): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const requests: string[] = [];
  const state = { failWith: undefined as number | undefined };
  const signer = new SignatureV4({
    service: 's3',
    region: S3_REGION,
    credentials: S3_KEYS,
    sha256: Sha256 as never,
    uriEscapePath: false,
    applyChecksum: false,
  });

  async function isSigned(request: IncomingMessage, url: URL, body: Buffer): Promise<boolean> {
    const told = request.headers.authorization ?? '';
    const names = /SignedHeaders=([^,]+)/.exec(told)?.[1]?.split(';') ?? [];
    const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
    const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(request.headers['x-amz-date'] ?? ''));
    if (!date || headers['x-amz-content-sha256'] !== createHash('sha256').update(body).digest('hex')) return false;
    const [, year, month, day, hour, minute, second] = date;
    const signed = await signer.sign(
      {
        method: request.method ?? '',
        protocol: 'http:',
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers,
        body,
      } as never,
      { signingDate: new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) },
    );
    const signature = (text: string | undefined) => /Signature=([0-9a-f]+)/.exec(text ?? '')?.[1];
    const made = (signed as unknown as { headers: Record<string, string> }).headers['authorization'];
    return names.length > 2 && signature(told) !== undefined && signature(told) === signature(made);
  }

  function answer(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void {
    const key = url.pathname.slice(1);
    const query = url.searchParams;
    const uploadId = query.get('uploadId');
    const parts = uploadId === null ? undefined : uploads.get(uploadId);
    switch (request.method) {
      case 'PUT':
        if (parts) parts.set(Number(query.get('partNumber')), body);
        else if (uploadId === null) objects.set(key, body);
        response.setHeader('etag', `"${createHash('md5').update(body).digest('hex')}"`);
        response.end();
        return;
      case 'POST':
        if (query.has('uploads')) {
          const id = `up+/${uploads.size}`;
          uploads.set(id, new Map());
          response.end(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
          return;
        }
        objects.set(key, Buffer.concat([...(parts ?? [])].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)));
        uploads.delete(uploadId ?? '');
        response.end('<CompleteMultipartUploadResult/>');
        return;
      case 'DELETE':
        if (uploadId === null) objects.delete(key);
        else uploads.delete(uploadId);
        response.statusCode = 204;
        response.end();
        return;
      default: {
        const found = objects.get(key);
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
        if (found === undefined) {
          response.statusCode = 404;
          response.end(request.method === 'HEAD' ? undefined : '<Error><Code>NoSuchKey</Code></Error>');
        } else if (request.method === 'HEAD') {
          response.setHeader('content-length', found.length);
          response.end();
        } else {
          response.statusCode = range ? 206 : 200;
          response.end(range ? found.subarray(Number(range[1]), Number(range[2]) + 1) : found);
        }
      }
    }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks);
      const url = new URL(request.url ?? '', `http://${request.headers.host}`);
      requests.push(`${request.method} ${request.url?.slice(1)}`);
      if (state.failWith !== undefined || !(await isSigned(request, url, body))) {
        response.statusCode = state.failWith ?? 403;
        response.end(request.method === 'HEAD' ? undefined : '<Error><Code>SignatureDoesNotMatch</Code></Error>');
      } else answer(request, response, url, body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    objects,
    uploads,
    requests,
    get failWith() {
      return state.failWith;
    },
    set failWith(status) {
      state.failWith = status;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The value of `store.blobs`. */
export function s3Url({ origin }: Pick<S3Server, 'origin'>): string {
  const { accessKeyId, secretAccessKey } = S3_KEYS;
  const keys = `${accessKeyId}:${encodeURIComponent(secretAccessKey)}`;
  return `s3://${keys}@bucket/some/prefix?region=${S3_REGION}&endpoint=${encodeURIComponent(origin)}`;
}
