import { type OnReadOpts, Socket } from 'node:net';
import { beginRead, endRead } from '../core/end-of-turn.ts';
import { readCoalescer } from './read-coalescer.ts';
import type { UnaskedContinue } from './unasked-continue.ts';

/** The most that libuv reads at once. */
const READ_BYTES = 65_536;
/** All sockets of a thread read into it: the bytes are copied out before anything else is read. */
const received = Buffer.allocUnsafeSlow(READ_BYTES);

const ARRIVED = Symbol('bytes of this read that were not taken yet');

const HEADS = Symbol('looks at all bytes before undici does');

/** The reader of a socket in place of undici. */
export interface SocketReader {
  /** The first `length` bytes of `bytes` came; they are the socket's again afterwards. False pauses the connection. */
  read(bytes: Buffer, length: number): boolean;
  /** The socket's own events: it failed, its other side ended, it closed. */
  failed(error: Error): void;
  ended(): void;
  closed(): void;
}

const READER = Symbol('the reader in place of undici');

interface DirectSocket extends Socket {
  [READER]: SocketReader | undefined;
  [HEADS]: UnaskedContinue | undefined;
  /** Null: taken; undefined: nothing is being handed over. */
  [ARRIVED]: Buffer | null | undefined;
}

/**
 * The options of a connection with which Node reads into one buffer of the thread, where it would allocate 64 KB for
 * each read and shrink them to what came (load: chat-whole; a tenth of the CPU of a whole answer went there and into
 * the queue).
 */
export const directRead: OnReadOpts = { buffer: received, callback: onRead };

/**
 * Hands the bytes of such a socket to undici in the turn in which they came, past the queue of Node's streams and its two
 * ticks. Bytes that undici does not take at once, because its parser is paused, go through that queue: order, backpressure
 * and the end of the connection remain Node's. Must be called before undici has the socket; without the call, a socket is
 * read through the queue. `heads` sees all bytes first.
 */
export function readDirectly(socket: Socket, heads: UnaskedContinue): void {
  (socket as DirectSocket)[HEADS] = heads;
  (socket as DirectSocket)[ARRIVED] = undefined;
  socket.read = read;
}

/** Gives `reader` the bytes of such a socket in the turn in which they came, and its events. Undefined: ends that. */
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

/** Shared by all sockets: three closures for each would be a tenth of what an idle stream holds. */
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
  readCoalescer.begin(chunk);
  try {
    socket.emit('readable');
    taken = socket[ARRIVED] === null;
  } finally {
    socket[ARRIVED] = undefined;
    readCoalescer.end();
  }
  return taken || socket.destroyed || socket.push(chunk);
}

/** undici reads until it gets null: it takes the bytes that came, and asks once more. */
function read(this: Socket, size?: number): Buffer | string | null {
  const arrived = (this as DirectSocket)[ARRIVED];
  if (arrived === undefined || size !== undefined || this.readableLength > 0) {
    return Socket.prototype.read.call(this, size) as Buffer | null;
  }
  (this as DirectSocket)[ARRIVED] = null;
  return arrived;
}
