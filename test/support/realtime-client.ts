import { WebSocket } from 'ws';

export interface RealtimeClient {
  readonly socket: WebSocket;
  readonly received: { text: string; isBinary: boolean }[];
  readonly end: { code?: number; reason?: string };
  say(event: object): void;
  /** What came, as JSON, of these types; none: of any. */
  // biome-ignore lint/suspicious/noExplicitAny: events of any form, which each test reads as it knows them.
  events(...types: string[]): any[];
}

/** A client's socket, with all that comes. Rejects with the status of a refused handshake. */
export async function openRealtime(
  url: string,
  path: string,
  { key = '', protocols = [], headers = {} }: { key?: string; protocols?: string[]; headers?: object } = {},
): Promise<RealtimeClient> {
  const socket = new WebSocket(url.replace('http', 'ws') + path, protocols, {
    headers: { ...(key !== '' && { authorization: `Bearer ${key}` }), ...headers },
  });
  const received: { text: string; isBinary: boolean }[] = [];
  const end: { code?: number; reason?: string } = {};
  socket.on('message', (data, isBinary) => received.push({ text: String(data), isBinary }));
  socket.on('close', (code, reason) => Object.assign(end, { code, reason: reason.toString() }));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, answer) => {
      let body = '';
      answer.on('data', (piece) => {
        body += piece;
      });
      answer.on('end', () => reject(new Error(`${answer.statusCode} ${body}`)));
    });
  });
  return {
    socket,
    received,
    end,
    say: (event) => socket.send(JSON.stringify(event)),
    events: (...types) =>
      received
        .filter(({ text }) => text.startsWith('{'))
        .map(({ text }) => JSON.parse(text))
        .filter(({ type }) => types.length === 0 || types.includes(type)),
  };
}
