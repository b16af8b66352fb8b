/**
 * A request that the gateway makes for itself, off the way of exchanges: for a token, a key set, a price list, an alert.
 * It goes as exchanges go: through the configured proxy, trusting the configured authorities. Redirects are not followed.
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
   * Where it may go whose address somebody else said: anywhere but to metadata services of clouds, or to public addresses
   * alone. Absent: the address is the operator's own.
   */
  readonly reach?: 'not-metadata' | 'public';
  /** In place of the one that the settings name for this address; `none`: it is reached directly. */
  readonly proxy?: string | undefined;
}

/** Headers of an answer: names in lower case; an array where a name came more than once. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Buffer;
}

/** Rejects with an error whose message is for people, and holds neither address nor secret of the request. */
export type HttpClient = (request: HttpRequest) => Promise<HttpAnswer>;

/** The first of several headers of one name. */
export function headerOf({ headers }: HttpAnswer, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
