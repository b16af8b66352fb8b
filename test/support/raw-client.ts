import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { KEY } from './gateway.ts';

/** A bare socket: for what no HTTP client would send, and for bytes that every HTTP client hides. */
export class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #received: Buffer[] = [];
  #wake: (() => void)[] = [];
  #over = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.#received.push(bytes);
      this.#wakeAll();
    });
    // A reset is one of the ways to be closed.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.on('close', () => {
        this.#over = true;
        this.#wakeAll();
        resolve();
      }),
    );
  }

  static async open(gateway: { url: string }): Promise<RawClient> {
    const { hostname, port } = new URL(gateway.url);
    const client = new RawClient(connect(Number(port), hostname));
    await once(client.socket, 'connect');
    return client;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  text(): string {
    return Buffer.concat(this.#received).toString('latin1');
  }

  /** Resolves once `holds` is true of all that was received, or the connection closed. */
  async until(holds: (text: string) => boolean): Promise<string> {
    while (!holds(this.text()) && !this.#over) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.text();
  }

  /** A whole answer with content-length, from its status line on. */
  async answer(): Promise<RawAnswer> {
    const text = await this.until((received) => parseAnswer(received) !== undefined);
    const answer = parseAnswer(text);
    if (!answer) throw new Error(`the connection closed before an answer was whole: ${JSON.stringify(text)}`);
    return answer;
  }

  leave(): void {
    this.socket.destroy();
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** What came behind it. */
  readonly rest: string;
}

export function parseAnswer(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 'NaN');
  const body = text.slice(end + 4);
  if (Number.isNaN(length) || body.length < length) return undefined;
  return {
    status: Number(head.slice(9, 12)),
    head,
    body: body.slice(0, length),
    rest: body.slice(length),
  };
}

/** The head of a chat request; `more` are further header lines. */
export function chatHead(more: readonly string[], key = KEY): string {
  const lines = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: gateway',
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    ...more,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export function chatRequest(body: object, more: readonly string[] = []): string {
  const text = JSON.stringify(body);
  return chatHead([`content-length: ${Buffer.byteLength(text)}`, ...more]) + text;
}
