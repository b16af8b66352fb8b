import type { Reply } from '../mcp/clients/reply.ts';
import type { FromMcpPort, McpOutcome, McpRequest } from '../threads/mcp-messages.ts';
import { ReplyHolder } from './reply-holder.ts';

type Post = (message: FromMcpPort) => void;

/** The answer to a request that came from a relay thread. What its client does not take is bounded. */
export class PortReply implements Reply {
  onGone: (() => void) | undefined;
  onRefused: Reply['onRefused'];
  over = false;
  /** It is a stream that only tells what changes. */
  isLasting = false;
  readonly outcome: { -readonly [Key in keyof McpOutcome]: McpOutcome[Key] } = { failed: false, upstreamMs: 0 };
  readonly holder: ReplyHolder;
  readonly #id: number;
  readonly #post: Post;
  readonly #maxBytes: number;
  readonly #onOver: () => void;
  #waiting: string[] | undefined;
  #waitingBytes = 0;

  constructor({ id, holds, tellsCalls }: McpRequest, maxBytes: number, post: Post, onOver: () => void) {
    this.#id = id;
    this.holder = new ReplyHolder({ id, holds, tellsCalls, outcome: this.outcome, post });
    this.#maxBytes = maxBytes;
    this.#post = post;
    this.#onOver = onOver;
  }

  answer(status: number, body: string, headers: readonly string[] = []): void {
    if (this.over) return;
    const all = body === '' ? [...headers] : ['content-type', 'application/json', ...headers];
    this.#post({ type: 'answer', id: this.#id, status, headers: all, body, outcome: this.outcome });
    this.#finish();
  }

  stream(headers: readonly string[], kind: 'answer' | 'lasting', resumes?: string): void {
    if (this.over) return;
    this.isLasting = kind === 'lasting';
    const all = ['content-type', 'text/event-stream', 'cache-control', 'no-cache', ...headers];
    const told = { type: 'begin', id: this.#id, status: 200, headers: all, lasting: this.isLasting } as const;
    this.#post(resumes === undefined ? told : { ...told, resumes });
  }

  event(json: string, id?: string): void {
    this.#send(id === undefined ? `data: ${json}\n\n` : `id: ${id}\ndata: ${json}\n\n`);
  }

  prime(id: string): void {
    this.#send(`id: ${id}\ndata: \n\n`);
  }

  comment(): void {
    this.#send(': \n\n');
  }

  end(): void {
    if (this.over) return;
    this.#flush();
    this.#post({ type: 'end', id: this.#id, outcome: this.outcome });
    this.#finish();
  }

  gone(): void {
    if (this.over) return;
    this.over = true;
    this.#waiting = undefined;
    this.holder.gone();
    this.onGone?.();
  }

  full(full: boolean): void {
    if (full) this.#waiting ??= [];
    else this.#flush();
  }

  #send(text: string): void {
    if (this.over) return;
    if (this.#waiting === undefined) {
      this.#post({ type: 'chunk', id: this.#id, text });
      return;
    }
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    if (this.#waitingBytes <= this.#maxBytes) return;
    // A client that reads too slowly loses its stream; where events are kept it can come back for them.
    this.#waiting = undefined;
    this.#post({
      type: 'end',
      id: this.#id,
      outcome: { ...this.outcome, failed: true, detail: 'the client reads too slowly' },
    });
    this.gone();
    this.#onOver();
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    if (waiting && waiting.length > 0) this.#post({ type: 'chunk', id: this.#id, text: waiting.join('') });
  }

  #finish(): void {
    this.over = true;
    this.onGone = undefined;
    this.#onOver();
  }
}
