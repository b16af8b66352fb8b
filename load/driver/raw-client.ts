/** One keep-alive connection that sends prepared bytes and tells when what came back. */
import { connect, type Socket } from 'node:net';
import type { Request } from './job.ts';
import { ResponseReader } from './response-reader.ts';

export type Answer = {
  onHead?(status: number): void;
  onBody?(bytes: number): void;
  onEnd(): void;
  /** The connection failed, or ended before the answer did. */
  onFailure(reason: string): void;
};

export class RawClient {
  readonly socket: Socket;
  #answer: Answer | undefined;

  /** The socket connects at once; `send` may be called before it has. */
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const reader = new ResponseReader({
      onHead: (status) => this.#answer?.onHead?.(status),
      onBody: (bytes) => this.#answer?.onBody?.(bytes),
      onEnd: () => {
        const answer = this.#answer;
        this.#answer = undefined;
        answer?.onEnd();
      },
    });
    this.socket.on('data', (bytes) => {
      try {
        reader.push(bytes);
      } catch (error) {
        this.#fail((error as Error).message);
        this.socket.destroy();
      }
    });
    this.socket.on('error', (error) => this.#fail((error as NodeJS.ErrnoException).code ?? error.message));
    this.socket.on('close', () => this.#fail('connection closed before the answer'));
  }

  get closed(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  send(request: Buffer, answer: Answer): void {
    this.#answer = answer;
    this.socket.write(request);
  }

  /** Leaves without a word, also in the middle of an answer; `onFailure` is not called. */
  leave(): void {
    this.#answer = undefined;
    this.socket.destroy();
  }

  #fail(reason: string): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.onFailure(reason);
  }
}

export function requestBytes(request: Request): Buffer {
  const { host, pathname } = new URL(request.url);
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(request.body);
  return Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${headers.join('')}content-length: ${length}\r\n\r\n${request.body}`,
  );
}
