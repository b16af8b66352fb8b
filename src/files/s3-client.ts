import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpAnswer, HttpClient } from '../core/http-client.ts';
import { BlobFault } from './blob-store.ts';

/**
 * The parts of `s3://ACCESS_KEY_ID:SECRET@bucket/prefix?region=…&endpoint=…`; keys that are left out come from where
 * AWS's SDKs look.
 */
export interface S3Address {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly region: string;
  /** The address of a host that is not AWS: the bucket then stands in the path. */
  readonly endpoint: string | undefined;
  readonly keys: S3Keys | undefined;
}

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

export function s3Address(text: string): S3Address {
  const { hostname, pathname, username, password, searchParams } = new URL(text);
  return {
    bucket: hostname,
    prefix: pathname.replace(/^\/+|\/+$/g, ''),
    region: searchParams.get('region') ?? 'us-east-1',
    endpoint: searchParams.get('endpoint')?.replace(/\/+$/, ''),
    keys:
      username === ''
        ? undefined
        : { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) },
  };
}

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  readonly id: string;
  /** Behind the `?`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 4_194_304;
const TRIES = 4;
const FIRST_DELAY_MS = 100;
/** Before its end a credential is asked for anew. */
const EARLY_MS = 120_000;

/** Signed requests for objects of one bucket, each tried again where it fails for a moment. */
export class S3Client {
  readonly #address: S3Address;
  readonly #http: HttpClient;
  #keys: Promise<S3Keys> | undefined;
  #keysUntil = 0;

  constructor(address: S3Address, http: HttpClient) {
    this.#address = address;
    this.#http = http;
  }

  /** Whatever the status is, but for those that pass by themselves: behind the last try these throw a BlobFault. */
  async send(request: S3Request): Promise<HttpAnswer> {
    for (let tried = 1; ; tried += 1) {
      const answer = await this.#sendOnce(request).catch((error: unknown) =>
        error instanceof BlobFault ? error : new BlobFault('S3 does not answer.', error),
      );
      const passes = answer instanceof BlobFault || answer.status >= 500 || answer.status === 429;
      if (!passes) return answer;
      if (tried === TRIES) throw answer instanceof BlobFault ? answer : s3Fault(answer);
      await delay(FIRST_DELAY_MS * 4 ** (tried - 1));
    }
  }

  async #sendOnce({ method, id, query, headers = {}, body }: S3Request): Promise<HttpAnswer> {
    const { AwsV4Signer } = await import('aws4fetch');
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credential();
    const { region } = this.#address;
    const signer = new AwsV4Signer({
      method,
      url: this.#url(id, query),
      headers: {
        ...headers,
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== undefined && { sessionToken }),
      service: 's3',
      region,
    });
    const signed = await signer.sign();
    return this.#http({
      url: signed.url.toString(),
      method,
      headers: [...signed.headers].flat(),
      ...(body && { body }),
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
    });
  }

  #url(id: string, query: string | undefined): string {
    const { bucket, prefix, region, endpoint } = this.#address;
    const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
    const key = prefix === '' ? id : `${prefix}/${id}`;
    return `${base}/${key}${query === undefined ? '' : `?${query}`}`;
  }

  #credential(): Promise<S3Keys> {
    const { keys } = this.#address;
    if (keys) return Promise.resolve(keys);
    if (this.#keys === undefined || Date.now() > this.#keysUntil) {
      // One request for all who wait.
      this.#keysUntil = Number.POSITIVE_INFINITY;
      this.#keys = this.#askChain();
    }
    return this.#keys;
  }

  async #askChain(): Promise<S3Keys> {
    try {
      const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
      const keys = await fromNodeProviderChain()();
      this.#keysUntil = (keys.expiration?.getTime() ?? Date.now() + 3_600_000) - EARLY_MS;
      return keys;
    } catch (error) {
      this.#keysUntil = 0;
      throw new BlobFault('No credential for S3 was found.', error);
    }
  }
}

/** What S3 says of its refusal, by its code alone. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export function s3Fault(answer: HttpAnswer): BlobFault {
  const code = /<Code>(\w{1,64})<\/Code>/.exec(answer.body.toString())?.[1];
  return new BlobFault(`S3 answered ${answer.status}${code === undefined ? '' : ` ${code}`}.`, undefined);
}
