import type { MessagePort } from 'node:worker_threads';
import type { FromMcpPort, McpPageAnswer, McpPageRequest, ToMcpPort } from '../threads/mcp-messages.ts';
import { hearMessages } from '../threads/port-messages.ts';

export interface McpPortOptions {
  /** A port to the thread of MCP is wanted; `connect` is called with it. */
  want(): void;
  /** Hears of requests; pages are answered here. */
  hear(message: Exclude<FromMcpPort, { type: 'page' }>): void;
  /** The thread of MCP ended: what it was at is lost, and the next request begins another. */
  lost(): void;
}

/** The way from a relay thread to the thread of MCP, which is begun by the first that is sent. */
export class McpPort {
  readonly #options: McpPortOptions;
  readonly #waiting: ToMcpPort[] = [];
  readonly #pages = new Map<number, (answer: McpPageAnswer | undefined) => void>();
  #port: MessagePort | undefined;
  #next = 1;

  constructor(options: McpPortOptions) {
    this.#options = options;
  }

  connect(port: MessagePort): void {
    this.#port = port;
    hearMessages(port, (message: FromMcpPort) => {
      if (message.type === 'page') this.#answerPage(message.id, message.answer);
      else this.#options.hear(message);
    });
    port.on('close', () => this.#lost(port));
    for (const message of this.#waiting.splice(0)) this.tell(message);
  }

  /** The id of the next request or page. */
  nextId(): number {
    const id = this.#next;
    this.#next += 1;
    return id;
  }

  /** Waits for the thread where there is none yet. */
  send(message: ToMcpPort): void {
    if (this.#port) this.tell(message);
    else {
      if (this.#waiting.length === 0) this.#options.want();
      this.#waiting.push(message);
    }
  }

  /** Tells the thread of what was sent: where it is gone there is nobody to tell. */
  tell(message: ToMcpPort): void {
    this.#port?.postMessage(message);
  }

  /** What a browser asks, or a client that wants a token. Undefined: the thread of MCP ended meanwhile. */
  page(request: Omit<McpPageRequest, 'id'>, onAnswer: (answer: McpPageAnswer | undefined) => void): void {
    const id = this.nextId();
    this.#pages.set(id, onAnswer);
    this.send({ type: 'page', request: { ...request, id } });
  }

  close(): void {
    this.#port?.close();
    this.#port = undefined;
  }

  #answerPage(id: number, answer: McpPageAnswer | undefined): void {
    this.#pages.get(id)?.(answer);
    this.#pages.delete(id);
  }

  #lost(port: MessagePort): void {
    if (this.#port !== port) return;
    this.#port = undefined;
    for (const id of [...this.#pages.keys()]) this.#answerPage(id, undefined);
    this.#options.lost();
  }
}
