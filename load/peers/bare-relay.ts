/**
 * A relay and nothing else, of the same parts as Sluice: uWebSockets.js in front, undici behind. No key, no limit, no
 * record, no deadline, no backpressure: what is left of a gateway without what makes it one. `node bare-relay.ts PORT
 * ORIGIN`. Frozen, since figures of years are held against it.
 */

import { App, type HttpResponse } from 'uWebSockets.js';
import { Pool } from 'undici';

const [port, origin = ''] = process.argv.slice(2);
const MAX_CONNECTIONS = 256;
const pool = new Pool(origin, { connections: MAX_CONNECTIONS, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });

/** The head goes out with the first bytes, and what comes in one turn of the loop goes out as one. */
class Answer {
  readonly #response: HttpResponse;
  #status = '200 OK';
  #contentType = 'application/json';
  #begun = false;
  #waiting: Buffer[] = [];
  #planned = false;
  #over = false;
  abort: (() => void) | undefined;

  constructor(response: HttpResponse) {
    this.#response = response;
    response.onAborted(() => {
      this.#over = true;
      this.abort?.();
    });
  }

  head(status: number, contentType: string): void {
    this.#status = status === 200 ? '200 OK' : String(status);
    this.#contentType = contentType;
  }

  bytes(chunk: Buffer): void {
    this.#waiting.push(chunk);
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#flush);
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    const last = this.#taken();
    this.#response.cork(() => {
      this.#begin();
      this.#response.end(last);
    });
  }

  fail(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#begun) this.#response.close();
    else this.#response.cork(() => this.#response.writeStatus('502 Bad Gateway').end());
  }

  #flush = (): void => {
    this.#planned = false;
    if (this.#over || this.#waiting.length === 0) return;
    const bytes = this.#taken();
    this.#response.cork(() => {
      this.#begin();
      this.#response.write(bytes);
    });
  };

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#response.writeStatus(this.#status).writeHeader('content-type', this.#contentType);
  }

  #taken(): Buffer {
    const all = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    return all;
  }
}

function relay(path: string, authorization: string, body: Buffer, answer: Answer): void {
  const headers = ['content-type', 'application/json', 'authorization', authorization];
  pool.dispatch(
    { path, method: 'POST', headers, body },
    {
      onRequestStart: (controller) => {
        answer.abort = () => controller.abort(new Error('the client left'));
      },
      onResponseStart: (_controller, status, answered) => answer.head(status, String(answered['content-type'] ?? '')),
      onResponseData: (_controller, chunk) => answer.bytes(chunk),
      onResponseEnd: () => answer.end(),
      onResponseError: () => answer.fail(),
    },
  );
}

App()
  .get('/*', (response) => {
    response.end('{}');
  })
  .post('/*', (response, request) => {
    const path = request.getUrl();
    const authorization = request.getHeader('authorization');
    const answer = new Answer(response);
    const parts: Buffer[] = [];
    response.onData((part, isLast) => {
      // The addon takes its memory back when this returns.
      parts.push(Buffer.from(part.slice(0)));
      if (isLast) relay(path, authorization, parts.length === 1 ? parts[0]! : Buffer.concat(parts), answer);
    });
  })
  .listen('127.0.0.1', Number(port), (socket) => {
    if (!socket) process.exit(1);
  });
