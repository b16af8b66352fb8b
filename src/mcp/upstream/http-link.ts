import type { AnswerHeaders } from '../../core/http-client.ts';
import { NumberMap } from '../../core/number-map.ts';
import { type RpcMessage, readMessage } from '../protocol/json-rpc.ts';
import { HttpCall, type HttpContext, type HttpFault, type HttpPlace } from './http-call.ts';
import type { Link, LinkOwner } from './link.ts';

const ACCEPT = ['content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
/** A stream of an old server that breaks is taken up again so often, behind the id of its last event. */
const MAX_RESUMES = 5;
const RESUME_MS = 1_000;
const MAX_RESUME_MS = 30_000;

export interface HttpLinkOptions {
  readonly context: HttpContext;
  readonly place: HttpPlace;
  /** What authorises the caller, and what the server's manifest adds: flat name-value pairs, asked for each request. */
  headers(): readonly string[];
}

/** Streamable HTTP, of both eras: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports */
export class HttpLink implements Link {
  owner: LinkOwner | undefined;
  /** Given by an old server with the answer to `initialize`. */
  sessionId: string | undefined;
  /** The version of an old server, once it is agreed upon. */
  version: string | undefined;
  readonly #options: HttpLinkOptions;
  readonly #calls = new NumberMap<HttpCall>();
  #hearing: HttpCall | undefined;
  #hears: 'not' | 'opening' | 'open' | 'refused' = 'not';
  /** They wait until it is open, or is not to be had. */
  #whenHeard: (() => void)[] = [];
  #resumes = 0;
  /** The id of its last event, of a stream that broke. */
  #lastHeard: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HttpLinkOptions) {
    this.#options = options;
  }

  request(id: number, json: string, headers: readonly string[]): void {
    let answered = false;
    const call = this.#call('POST', headers, json, {
      started: (_status, heard) => {
        const session = heard['mcp-session-id'];
        if (typeof session === 'string') this.sessionId = session;
      },
      message: (message) => {
        if (message.kind === 'response') answered = true;
        this.owner?.message(message, id);
      },
      ended: () => this.#ended(id, call, answered, 0),
      failed: (fault) => this.#broke(id, call, answered, 0, fault),
    });
    this.#calls.set(id, call);
  }

  drop(id: number): void {
    this.#calls.take(id)?.abort();
  }

  send(json: string, headers: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => resolve();
      this.#call('POST', headers, json, { started: over, message: () => undefined, ended: over, failed: over });
    });
  }

  hear(): Promise<void> | undefined {
    if (this.#hears === 'open' || this.#hears === 'refused' || this.#closed) return undefined;
    return new Promise((resolve) => {
      this.#whenHeard.push(resolve);
      if (this.#hears === 'opening') return;
      // It broke, or was never there: whoever needs it now does not wait for the time to try again.
      clearTimeout(this.#timer);
      this.#openHearing(this.#lastHeard);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#hearing?.abort();
    this.#hearsNow('refused');
    for (const [id] of this.#calls.entries()) this.drop(id);
    if (this.sessionId === undefined) return;
    const ignore = (): void => undefined;
    this.#call('DELETE', [], undefined, { started: ignore, message: ignore, ended: ignore, failed: ignore });
  }

  #ended(id: number, call: HttpCall, answered: boolean, resumes: number): void {
    if (answered || !this.#resumable(call, resumes)) {
      this.#calls.take(id);
      this.owner?.over(id, undefined);
      return;
    }
    this.#resume(id, call.lastEventId!, call.retryMs ?? RESUME_MS, resumes);
  }

  #broke(id: number, call: HttpCall, answered: boolean, resumes: number, fault: HttpFault): void {
    if (!answered && fault.status === undefined && this.#resumable(call, resumes)) {
      this.#resume(id, call.lastEventId!, call.retryMs ?? RESUME_MS, resumes);
      return;
    }
    this.#calls.take(id);
    this.owner?.over(id, answered ? undefined : fault);
  }

  #resumable(call: HttpCall, resumes: number): boolean {
    return this.version !== undefined && call.lastEventId !== undefined && resumes < MAX_RESUMES && !this.#closed;
  }

  /** The stream of a request goes on with a GET that names the last event. */
  #resume(id: number, lastEventId: string, inMs: number, resumes: number): void {
    const timer = setTimeout(
      () => {
        if (this.#closed || this.#calls.get(id) === undefined) return;
        let answered = false;
        const call = this.#call('GET', ['last-event-id', lastEventId], undefined, {
          started: () => undefined,
          message: (message) => {
            if (message.kind === 'response') answered = true;
            this.owner?.message(message, id);
          },
          ended: () => {
            call.lastEventId ??= lastEventId;
            this.#ended(id, call, answered, resumes + 1);
          },
          failed: (fault) => {
            call.lastEventId ??= lastEventId;
            this.#broke(id, call, answered, resumes + 1, fault);
          },
        });
        this.#calls.set(id, call);
      },
      Math.min(inMs, MAX_RESUME_MS),
    );
    timer.unref();
  }

  #openHearing(lastEventId: string | undefined): void {
    const resumed = lastEventId === undefined ? [] : ['last-event-id', lastEventId];
    const openedAt = performance.now();
    const again = (): void => {
      this.#lastHeard = call.lastEventId ?? lastEventId;
      // A stream that is cut now and then, as by a load balancer, is opened again for as long as the session lives.
      if (performance.now() - openedAt >= MAX_RESUME_MS) this.#resumes = 0;
      const wait = Math.min(MAX_RESUME_MS, call.retryMs ?? RESUME_MS * 2 ** this.#resumes);
      this.#resumes += 1;
      this.#hearsNow('not');
      if (this.#closed || this.#resumes > MAX_RESUMES) return;
      this.#timer = setTimeout(() => this.#openHearing(this.#lastHeard), wait).unref();
    };
    this.#hears = 'opening';
    const call = this.#call('GET', resumed, undefined, {
      started: () => this.#hearsNow('open'),
      message: (message) => {
        this.#resumes = 0;
        this.owner?.message(message, undefined);
      },
      ended: again,
      failed: (fault) => {
        // 405: the server never speaks by itself.
        if (fault.status === undefined || fault.status >= 500) again();
        else this.#hearsNow('refused');
      },
    });
    this.#hearing = call;
  }

  #hearsNow(hears: 'not' | 'open' | 'refused'): void {
    this.#hears = hears;
    for (const heard of this.#whenHeard.splice(0)) heard();
  }

  #call(
    method: 'GET' | 'POST' | 'DELETE',
    headers: readonly string[],
    body: string | undefined,
    handler: {
      started(status: number, headers: AnswerHeaders): void;
      message(message: RpcMessage): void;
      ended(): void;
      failed(fault: HttpFault): void;
    },
  ): HttpCall {
    const { context, place } = this.#options;
    const all = [...(method === 'GET' ? ['accept', 'text/event-stream'] : ACCEPT), ...headers];
    if (this.version !== undefined) all.push('mcp-protocol-version', this.version);
    if (this.sessionId !== undefined) all.push('mcp-session-id', this.sessionId);
    all.push(...this.#options.headers());
    return new HttpCall(
      context,
      place,
      { method, headers: all, ofMessages: true, ...(body !== undefined && { body }) },
      {
        ...handler,
        message: (data) => {
          const message = read(data);
          if (message) handler.message(message);
        },
      },
    );
  }
}

function read(data: string): RpcMessage | undefined {
  try {
    const message = readMessage(JSON.parse(data));
    return typeof message === 'string' ? undefined : message;
  } catch {
    // No message: the request it should have answered is told that none came.
    return undefined;
  }
}
