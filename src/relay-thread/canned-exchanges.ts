import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Both ends of what a thread sends through itself to warm up: a client and a provider, on the loopback. */

const HEAD_END = '\r\n\r\n';
/** In so many pieces a stream comes, each in a turn of its own. */
const PIECES = 4;

export interface CannedProvider {
  readonly port: number;
  /** What the next request gets: one piece is a whole answer, several are a stream. */
  next(answer: readonly string[]): void;
  close(): void;
}

/** Answers every request with what it was told last. Rejects where nobody can listen there. */
export async function cannedProvider(host: string, maxMs: number): Promise<CannedProvider> {
  let answer: readonly string[] = [];
  const open = new Set<Socket>();
  // Small writes would wait for each other's acknowledgement otherwise.
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.setTimeout(maxMs, () => socket.destroy());
    // The thread that asked hears of it as well.
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    onRequests(socket, () => send(socket, answer));
  });
  server.listen({ host, port: 0 });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('there is no port');
  return {
    port: address.port,
    next: (next) => {
      answer = next;
    },
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Calls back for each request that is whole by its content-length. */
function onRequests(socket: Socket, onRequest: () => void): void {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece;
    const head = text.indexOf(HEAD_END);
    if (head === -1) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
    if (text.length < head + HEAD_END.length + length) return;
    text = '';
    onRequest();
  });
}

function send(socket: Socket, answer: readonly string[]): void {
  const head = (type: string, more: string): string =>
    `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}\r\nconnection: keep-alive${HEAD_END}`;
  if (answer.length === 1) {
    const [whole = ''] = answer;
    socket.write(`${head('application/json', `content-length: ${Buffer.byteLength(whole)}`)}${whole}`);
    return;
  }
  socket.write(head('text/event-stream; charset=utf-8', 'transfer-encoding: chunked'));
  const perPiece = Math.ceil(answer.length / PIECES);
  const piece = (from: number): void => {
    const events = answer.slice(from, from + perPiece);
    const chunks = events.map((event) => `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`).join('');
    const isLast = from + perPiece >= answer.length;
    socket.write(`${chunks}${isLast ? LAST_CHUNK : ''}`);
    if (!isLast) setImmediate(piece, from + perPiece);
  };
  setImmediate(piece, 0);
}

const LAST_CHUNK = '0\r\n\r\n';

export interface CannedClient {
  /** Resolves with the end of the answer; rejects where it is no 200, is cut, or comes too late. */
  ask(body: Buffer): Promise<void>;
  close(): void;
}

export interface CannedClientOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly key: string;
  /** Silence that is waited for. */
  readonly maxMs: number;
}

/** Reads whole answers off one connection. */
export function answersRead({ host, port, path, key, maxMs }: CannedClientOptions): CannedClient {
  const socket = connect({ host, port, noDelay: true });
  let text = '';
  let settle: ((error?: Error) => void) | undefined;
  socket.setEncoding('latin1').setTimeout(maxMs, () => socket.destroy(new Error('no answer came in time')));
  socket.on('data', (piece) => {
    text += piece;
    if (text.length > 12 && !text.startsWith('HTTP/1.1 200')) socket.destroy(new Error(text.slice(0, 12)));
    else if (isWhole(text)) settle?.();
  });
  socket.on('error', (error) => settle?.(error));
  socket.on('close', () => settle?.(new Error('the connection was closed')));
  return {
    ask: (body) => {
      text = '';
      const head =
        `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n` +
        `user-agent: warm-up\r\naccept: */*\r\ncontent-length: ${body.length}${HEAD_END}`;
      socket.write(Buffer.concat([Buffer.from(head), body]));
      return new Promise((resolve, reject) => {
        settle = (error) => {
          settle = undefined;
          if (error) reject(error);
          else resolve();
        };
      });
    },
    close: () => socket.destroy(),
  };
}

function isWhole(text: string): boolean {
  const head = text.indexOf(HEAD_END);
  if (head === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  return length === undefined ? text.endsWith(LAST_CHUNK) : text.length >= head + HEAD_END.length + Number(length);
}
