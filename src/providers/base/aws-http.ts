import type { HttpAnswer, HttpClient } from '../../core/http-client.ts';

/** What AWS's own clients ask with: https://smithy.io/2.0/languages, `HttpRequest` of @smithy/types. */
interface AskedRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const TIMEOUT_MS = 8_000;
const MAX_BYTES = 1024 * 1024;

/** Reached from the machine itself alone: metadata servers and the like. */
const LINK_LOCAL = /^(169\.254\.|127\.|localhost$|\[?(fd00:ec2::|::1))/;

/**
 * The requests of AWS's clients on our way: their own would not know the proxy and the authorities of the configuration.
 * Makes the `requestHandler` of a client.
 */
export function awsRequestHandler(http: HttpClient, signal: AbortSignal, proxy: string | undefined) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: AskedRequest): Promise<{ response: AwsResponse }> {
      const { protocol, hostname, port, method, headers, body } = request;
      const sent = typeof body === 'string' || Buffer.isBuffer(body) ? body : undefined;
      const bytes = body instanceof Uint8Array && sent === undefined ? Buffer.from(body) : sent;
      const answer = await http({
        url: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${request.path}${queryOf(request)}`,
        method: method === 'POST' ? 'POST' : 'GET',
        // The connection's own.
        headers: Object.entries(headers)
          .filter(([name]) => name !== 'content-length')
          .flat(),
        ...(bytes !== undefined && bytes.length > 0 && { body: bytes }),
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
        signal,
        proxy: LINK_LOCAL.test(hostname) ? 'none' : proxy,
      });
      return { response: responseOf(answer) };
    },
    updateHttpClientConfig(): void {
      // There is nothing that could be set.
    },
    httpHandlerConfigs: () => ({}),
  };
}

interface AwsResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

function responseOf({ status, headers, body }: HttpAnswer): AwsResponse {
  const told: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) told[name] = [value].flat().join(', ');
  return { statusCode: status, headers: told, body };
}

function queryOf({ query = {} }: AskedRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((each) => `${encode(name)}=${encode(each ?? '')}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** As signatures want it: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}
