import type { AccountToken } from '../core/account-token.ts';
import type { Method, OrError, UploadSource } from '../core/exchange.ts';
import type { HttpClient } from '../core/http-client.ts';

/** Gives the tokens of one credential, one after the other; when to ask is main-thread/account-tokens.ts. */
export interface TokenSource {
  /** Unique among all sources; another secret makes another id. Holds no secret. */
  readonly id: string;
  readonly account: string;
  /**
   * Asks through `http`, which knows the configured proxy and authorities. Rejects with a reason that people read in the
   * log: it must hold no secret.
   */
  fetch(signal: AbortSignal, http: HttpClient): Promise<FetchedToken>;
}

export type FetchedToken = Pick<AccountToken, 'values' | 'expiresAtMs'>;

/** The tokens that this thread knows of. */
export interface Tokens {
  /** By the id of the source; undefined: none was fetched yet. It may have ended. */
  get(sourceId: string): AccountToken | undefined;
}

/**
 * What authorises a request, in the style of one mount. Synchronous: whatever has to be fetched was fetched before.
 * A static one gives the same list each time; one that signs reads the request.
 */
export interface Credential {
  /** Tells credentials apart without holding one: 64 bits of a digest. */
  readonly poolKey: string;
  /** The body is signed as well, so it has to be whole. */
  readonly signsBody?: true;
  /** Flat name-value pairs to be added to the request's headers; never changed by who gets them. */
  sign(request: UnsignedRequest): OrError<readonly string[]>;
  /** A provider's words without the secrets that they may quote. */
  redact(words: string): string;
}

/** All of a request but what authorises it. */
export interface UnsignedRequest {
  readonly method: Method | 'HEAD';
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  /** Flat name-value pairs. */
  readonly headers: readonly string[];
  readonly body: Buffer | readonly Buffer[] | UploadSource | undefined;
}
