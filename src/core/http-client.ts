/**
 * A request that the gateway makes for itself, off the way of exchanges: for a token, a key set, a price list, an alert.
 * It takes the way of exchanges: through the configured proxy, trusting the configured authorities. Redirects are not
 * followed.
 */
export interface HttpRequest {
  /** http:// or https:// */
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** Flat name-value pairs. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  /** From the first packet to the last byte of the answer. */
  readonly timeoutMs: number;
  /** The most bytes of the answer's body that are read. */
  readonly maxBytes: number;
  /** What happens to a longer body. Default: `fail`. */
  readonly whenLonger?: 'fail' | 'cut';
  readonly signal?: AbortSignal;
  /**
   * Where a request may go whose address came from somebody else: anywhere but to metadata services of clouds, or to public
   * addresses alone. Absent: the operator gave the address, and it may be any.
   */
  readonly reach?: 'not-metadata' | 'public';
  /** The proxy in place of the one that the settings name for this address; `none`: the address is reached directly. */
  readonly proxy?: string | undefined;
}

/** Headers of an answer: names in lower case; an array where a name came more than once. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Buffer;
}

/** An HttpClient rejects with it where the body of the answer outgrows `maxBytes`, unless such a body is to be cut. */
export class AnswerTooLong extends Error {
  constructor(maxBytes: number) {
    super(`the answer is longer than ${maxBytes} bytes`);
  }
}

/** Rejects with an error whose message is for people, and holds neither address nor secret of the request. */
export type HttpClient = (request: HttpRequest) => Promise<HttpAnswer>;

/** The first header of this name. */
export function headerOf({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
