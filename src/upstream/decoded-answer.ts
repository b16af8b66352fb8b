import { ContentDecoder, type ContentEncoding, contentEncoding, type DecodedTaker } from '../codec/content-decoder.ts';
import { GatewayError } from '../core/errors.ts';
import type { AnswerHeaders } from '../core/http-client.ts';

/** The attempt whose answer is decoded. It may be called after the connection was given back. */
export interface DecodedSource {
  pass(bytes: Buffer): void;
  passEnd(): void;
  passFailure(error: GatewayError): void;
  /** Stops reading, although nobody above asked for it. */
  hold(): void;
  /** Reads on, unless somebody above wants it paused. */
  letGo(): void;
}

/** How the answer is compressed; undefined: it is not, or in an unknown encoding. */
export function answerEncoding(headers: AnswerHeaders): ContentEncoding | undefined {
  const header = headers['content-encoding'];
  if (header === undefined) return undefined;
  const encoding = contentEncoding(Array.isArray(header) ? header.join(',') : header);
  return encoding === 'identity' ? undefined : encoding;
}

/** The head as it would be without compression. Its framing still says whether the answer ends by itself. */
export function decodedHeaders(headers: AnswerHeaders): AnswerHeaders {
  const framing = headers['content-length'] === undefined ? headers['transfer-encoding'] : 'chunked';
  return {
    ...headers,
    'content-encoding': undefined,
    'content-length': undefined,
    'transfer-encoding': framing,
  };
}

/**
 * Decodes the answer of a provider that compressed it although only `identity` was accepted. Decoded bytes come in order, in
 * later turns of the loop; where they are not taken they wait, with the provider paused. A failure of the connection comes
 * behind all that could still be decoded.
 */
export class DecodedAnswer implements DecodedTaker {
  readonly #source: DecodedSource;
  readonly #decoder: ContentDecoder;
  #receivedBytes = 0;
  #failure: GatewayError | undefined;
  #holds = false;

  constructor(encoding: ContentEncoding, source: DecodedSource) {
    this.#source = source;
    this.#decoder = new ContentDecoder(encoding, this);
  }

  /** The provider is paused until the received bytes are decoded. */
  get holds(): boolean {
    return this.#holds;
  }

  write(bytes: Buffer): void {
    this.#receivedBytes += bytes.length;
    if (this.#decoder.write(bytes) || this.#holds) return;
    this.#holds = true;
    this.#source.hold();
  }

  end(): void {
    // No body at all needs no decoding.
    if (this.#receivedBytes === 0) this.#source.passEnd();
    else this.#decoder.end();
  }

  fail(error: GatewayError): void {
    this.#failure = error;
    if (this.#receivedBytes === 0) this.#source.passFailure(error);
    else this.#decoder.end();
  }

  pause(): void {
    this.#decoder.pause();
  }

  resume(): void {
    this.#decoder.resume();
  }

  destroy(): void {
    this.#decoder.destroy();
  }

  decoded(bytes: Buffer): void {
    this.#source.pass(bytes);
  }

  decodedAll(): void {
    if (this.#failure) this.#source.passFailure(this.#failure);
    else this.#source.passEnd();
  }

  undecodable(detail: string): void {
    const error = new GatewayError('upstream_protocol', { detail: `Of its compressed body: ${detail}.` });
    this.#source.passFailure(this.#failure ?? error);
  }

  drained(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#source.letGo();
  }
}
