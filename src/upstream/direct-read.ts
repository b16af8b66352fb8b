import { type OnReadOpts, Socket } from 'node:net';
import { beginRead, endRead } from '../core/end-of-turn.ts';
import { oneRead } from './one-read.ts';
import type { UnaskedContinue } from './unasked-continue.ts';

/** What libuv reads at most at once. */
const READ_BYTES = 65_536;
/** All sockets of a thread read into it: what came is copied out before anything else is read. */
const received = Buffer.allocUnsafeSlow(READ_BYTES);

const ARRIVED = Symbol('what came in this read and was not taken yet');

const HEADS = Symbol('what is looked at before undici sees it');

/** The reader of a socket instead of undici. */
export interface SocketReader {
  /** The first `length` bytes of `bytes` came; they are the socket's again afterwards. False pauses the connection. */
  read(bytes: Buffer, length: number): boolean;
  /** The socket's own events: it failed, its other side ended, it closed. */
  failed(error: Error): void;
  ended(): void;
  closed(): void;
}

const READER = Symbol('who reads it');

interface DirectSocket extends Socket {
  [READER]: SocketReader | undefined;
  [HEADS]: UnaskedContinue | undefined;
  /** undefined: nothing is being handed over. */
  [ARRIVED]: Buffer | null | undefined;
}

/**
 * The options of a connection with which Node reads into one buffer of the thread, where it would allocate 64 KB for
 * each read and shrink them to what came (load: chat-whole; a tenth of the CPU of a whole answer went there and into
 * the queue).
 */
export const directRead: OnReadOpts = { buffer: received, callback: onRead };

/**
 * Hands what such a socket receives to undici in the turn in which it came, past the queue of Node's streams and its
 * two ticks. That queue stays for what undici does not take at once, because its parser is paused: order, backpressure
 * and the end of the connection are Node's as before. Must be called before undici has the socket; one for which it was
 * not is read through the queue. `heads` sees all bytes first.
 */
export function readDirectly(socket: Socket, heads: UnaskedContinue): void {
  (socket as DirectSocket)[HEADS] = heads;
  (socket as DirectSocket)[ARRIVED] = undefined;
  socket.read = read;
}

/** All that such a socket receives goes to `reader` in the turn in which it came, and what becomes of it; undefined: no more. */
export function readInto(socket: Socket, reader: SocketReader | undefined): void {
  const before = (socket as DirectSocket)[READER];
  (socket as DirectSocket)[READER] = reader;
  if (reader !== undefined && before === undefined) {
    socket.on('error', onError);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  } else if (reader === undefined) {
    socket.off('error', onError);
    socket.off('end', onEnd);
    socket.off('close', onClose);
  }
}

/** Functions of all sockets: three closures for each would be a tenth of what an idle stream holds of one. */
function onError(this: Socket, error: Error): void {
  (this as DirectSocket)[READER]?.failed(error);
}

function onEnd(this: Socket): void {
  (this as DirectSocket)[READER]?.ended();
}

function onClose(this: Socket): void {
  (this as DirectSocket)[READER]?.closed();
}

/** False pauses the connection, as a full queue does. */
function onRead(this: unknown, length: number): boolean {
  const socket = this as DirectSocket;
  const reader = socket[READER];
  if (reader !== undefined) {
    beginRead();
    try {
      return reader.read(received, length);
    } finally {
      endRead();
    }
  }
  const chunk = Buffer.allocUnsafe(length);
  received.copy(chunk, 0, 0, length);
  socket[HEADS]?.mask(chunk);
  const direct = socket.read === read && socket.readableLength === 0 && socket[ARRIVED] === undefined;
  if (!direct) return socket.push(chunk);
  socket[ARRIVED] = chunk;
  let taken = false;
  oneRead.begin(chunk);
  try {
    socket.emit('readable');
    taken = socket[ARRIVED] === null;
  } finally {
    socket[ARRIVED] = undefined;
    oneRead.end();
  }
  return taken || socket.destroyed || socket.push(chunk);
}

/** undici asks until there is nothing: first for what came, then once more. */
function read(this: Socket, size?: number): Buffer | string | null {
  const arrived = (this as DirectSocket)[ARRIVED];
  if (arrived === undefined || size !== undefined || this.readableLength > 0) {
    return Socket.prototype.read.call(this, size) as Buffer | null;
  }
  (this as DirectSocket)[ARRIVED] = null;
  return arrived;
}
