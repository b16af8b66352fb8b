import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { pieces } from '../support/cuttings.ts';

/** The answer to the request with this idempotency key, which the gateway passes on. */
export interface Replay {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** Bytes to a piece, each in a chunk of its own; undefined: whole, with its length declared. */
  readonly pieceBytes: number | undefined;
  /** Neither a length nor chunks: the answer ends with its connection. */
  readonly endsWithConnection?: true;
  /** Breaks off behind so many bytes of the body; negative: so many bytes before the end of the head. */
  readonly cutAt?: number;
  /** How it breaks off: says goodbye, resets the connection, or keeps it and sends nothing more. */
  readonly cutBy?: 'end' | 'reset' | 'nothing';
}

export interface ReplayingProvider extends AsyncDisposable {
  readonly origin: string;
  readonly replays: Map<string, Replay>;
  /** Bodies as they came, by idempotency key. */
  readonly received: Map<string, string>;
}

/** A provider that says what was recorded, in exactly these pieces. */
export async function startReplayingProvider(): Promise<ReplayingProvider> {
  const replays = new Map<string, Replay>();
  const received = new Map<string, string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let pending = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      pending = Buffer.concat([pending, bytes]);
      const headEnd = pending.indexOf('\r\n\r\n') + 4;
      if (headEnd < 4) return;
      const head = pending.toString('latin1', 0, headEnd);
      const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
      if (pending.length < headEnd + length) return;
      const key = /^idempotency-key: (\S+)\r$/im.exec(head)?.[1] ?? '';
      received.set(key, pending.toString('utf8', headEnd, headEnd + length));
      pending = pending.subarray(headEnd + length);
      answer(socket, replays.get(key));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    replays,
    received,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function answer(socket: Socket, replay: Replay | undefined): void {
  if (!replay) {
    socket.write('HTTP/1.1 418 No Script\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  const { status, contentType, body, pieceBytes, cutAt } = replay;
  const declared = pieceBytes === undefined ? `content-length: ${body.length}` : 'transfer-encoding: chunked';
  const framing = replay.endsWithConnection ? 'connection: close' : declared;
  const head = Buffer.from(`HTTP/1.1 ${status} Recorded\r\ncontent-type: ${contentType}\r\n${framing}\r\n\r\n`);
  if (cutAt !== undefined && cutAt < 0) {
    breakOff(socket, head.subarray(0, head.length + cutAt), replay);
    return;
  }
  const sent = cutAt === undefined ? body : body.subarray(0, cutAt);
  const framed =
    pieceBytes === undefined
      ? [head, sent]
      : [
          head,
          ...pieces(sent, pieceBytes).flatMap((piece) => [
            Buffer.from(`${piece.length.toString(16)}\r\n`),
            piece,
            Buffer.from('\r\n'),
          ]),
        ];
  if (cutAt !== undefined || replay.endsWithConnection) breakOff(socket, Buffer.concat(framed), replay);
  else if (pieceBytes === undefined) socket.write(Buffer.concat(framed));
  else socket.write(Buffer.concat([...framed, Buffer.from('0\r\n\r\n')]));
}

/** Only once all of it has left: a reset throws away what is still on the way. */
function breakOff(socket: Socket, bytes: Buffer, { cutBy }: Replay): void {
  if (cutBy === 'nothing') socket.write(bytes);
  else if (cutBy === 'reset') socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy()));
  else socket.end(bytes);
}
