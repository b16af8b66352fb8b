import { randomBytes } from 'node:crypto';
import { close, mkdirSync, openSync, read, unlinkSync, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GatewayError } from '../core/errors.ts';
import type { OrError, SpooledBody, UploadSource } from '../core/exchange.ts';
import type { BodyStretch } from '../inference/form-part.ts';

const closeFile = promisify(close);
const readFile = promisify(read);
const writeFile = promisify(write);

const BLOCK_BYTES = 65_536;
/**
 * Above it they are written at once. The addon reads a paused client on in the same turn, while the kernel gives half a MiB
 * each time: a fast one would fill the memory before anything else has its turn.
 */
const MAX_WAITING_BYTES = 2_097_152;
/**
 * Blocks that a reader fills in turn. A socket that took a block without waiting has no more than two of them left to
 * write, so that the first is free when the last is filled.
 */
const READ_BLOCKS = 8;
/** The piece that becomes base64 at once, in bytes that it is made of. */
const BASE64_BYTES = 49_152;

/**
 * A body that is written to the disk as it comes, and read from there while it still comes: by several attempts, each from
 * its beginning. The file has no name any more once it is open, so that nothing is left of it, however the process ends.
 */
export class Spool implements SpooledBody {
  /** As the client declared; undefined until all of it came. */
  length: number | undefined;
  isWhole = false;
  #file: number | undefined;
  #waiting: Buffer[] = [];
  #free: Buffer[] = [];
  /** Bytes of the last block that waits. */
  #filled = 0;
  #waitingBytes = 0;
  /** Without a gap. */
  #written = 0;
  /** Where the next bytes go: what is written at once may overtake what is on its way. */
  #end = 0;
  #isEnded = false;
  #isPumping = false;
  /** Reads under way. */
  #reading = 0;
  #fault: GatewayError | undefined;
  #isClosed = false;
  #listeners: (() => void)[] = [];
  /** Called when fewer bytes wait; the writer of the body sets it. */
  onWritten: (() => void) | undefined;

  constructor(folder: string, length: number | undefined) {
    this.length = length;
    this.#guarded(() => {
      this.#file = unnamedFile(folder);
    });
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get fault(): GatewayError | undefined {
    return this.#fault;
  }

  /** Copies the bytes. */
  write(bytes: Uint8Array): void {
    if (this.#isClosed || this.#fault) return;
    this.#waitingBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      let block = this.#waiting.at(-1);
      if (block === undefined || this.#filled === BLOCK_BYTES) {
        block = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
        this.#waiting.push(block);
        this.#filled = 0;
      }
      const taken = Math.min(BLOCK_BYTES - this.#filled, bytes.length - at);
      block.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
    }
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#guarded(() => this.#writeNow());
    else void this.#pump();
  }

  /** Nothing more comes. */
  end(): void {
    this.#isEnded = true;
    void this.#pump();
  }

  /** The body does not arrive whole: its readers stop. */
  fail(fault: GatewayError): void {
    this.#fault ??= fault;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#tell();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.fail(new GatewayError('client_closed'));
    this.#close();
  }

  /** Why it is not whole; undefined: it is. */
  async whole(): Promise<GatewayError | undefined> {
    while (!this.isWhole && this.#fault === undefined) await this.#change();
    return this.#fault;
  }

  /** All of it in memory. */
  async read(maxBytes: number): Promise<OrError<Buffer>> {
    const fault = await this.whole();
    if (fault) return fault;
    const { length = 0 } = this;
    if (length > maxBytes) {
      const detail = 'Its provider takes it whole alone, and it may not be that large.';
      return new GatewayError('body_too_large', { detail, setting: `limits.max_body_bytes: ${maxBytes}` });
    }
    const body = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) at += await this.#readInto(body, at, length - at, at);
    return body;
  }

  source(pieces: readonly (Buffer | BodyStretch)[]): UploadSource {
    let length = 0;
    for (const piece of pieces) length += lengthOf(piece);
    return { length, [Symbol.asyncIterator]: () => this.#send(pieces) };
  }

  async *#send(pieces: readonly (Buffer | BodyStretch)[]): AsyncGenerator<Buffer, void, undefined> {
    const blocks = Array.from({ length: READ_BLOCKS }, () => Buffer.allocUnsafeSlow(BLOCK_BYTES));
    let next = 0;
    for (const piece of pieces) {
      if (Buffer.isBuffer(piece)) {
        if (piece.length > 0) yield piece;
        continue;
      }
      for (let at = piece.start; at < piece.end; ) {
        const block = blocks[next % READ_BLOCKS]!;
        next += 1;
        const most = Math.min(piece.end - at, piece.base64 ? BASE64_BYTES : BLOCK_BYTES);
        const read = await this.#fill(block, most, at, piece.base64 === true);
        at += read;
        const bytes = block.subarray(0, read);
        yield piece.base64 ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes;
      }
    }
  }

  /** As much as is there; `all`: so much, since base64 cannot be cut anywhere. */
  async #fill(block: Buffer, bytes: number, at: number, all: boolean): Promise<number> {
    let read = 0;
    do {
      while (this.#written <= at + read) {
        if (this.#fault) throw this.#fault;
        await this.#change();
      }
      read += await this.#readInto(block, read, Math.min(bytes - read, this.#written - at - read), at + read);
    } while (all && read < bytes);
    return read;
  }

  async #readInto(block: Buffer, offset: number, bytes: number, at: number): Promise<number> {
    if (this.#isClosed || this.#file === undefined) throw this.#fault ?? new GatewayError('client_closed');
    this.#reading += 1;
    const { bytesRead } = await readFile(this.#file, block, offset, bytes, at).finally(() => {
      this.#reading -= 1;
      if (this.#isClosed) this.#close();
    });
    if (bytesRead === 0)
      throw new GatewayError('internal_error', { detail: 'The file of an upload is shorter than it was.' });
    return bytesRead;
  }

  /** One call after the other. */
  async #pump(): Promise<void> {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    try {
      while (this.#waiting.length > 0 && !this.#fault) await this.#writeBlock();
    } catch (cause) {
      this.#broken(cause);
    }
    this.#isPumping = false;
    if (this.#isEnded && !this.#fault) {
      this.length = this.#written;
      this.isWhole = true;
    }
    this.#tell();
    if (this.#isClosed) this.#close();
  }

  async #writeBlock(): Promise<void> {
    const [whole, block] = this.#next();
    const place = this.#end;
    this.#end += block.length;
    for (let at = 0; at < block.length; ) {
      at += (await writeFile(this.#file!, block, at, block.length - at, place + at)).bytesWritten;
    }
    // What overtook it is there already.
    this.#written = this.#end;
    this.#free.push(whole);
    this.#tell();
    this.onWritten?.();
  }

  #writeNow(): void {
    while (this.#waiting.length > 0) {
      const [whole, block] = this.#next();
      for (let at = 0; at < block.length; ) {
        const written = writeSync(this.#file!, block, at, block.length - at, this.#end);
        at += written;
        this.#end += written;
      }
      this.#free.push(whole);
    }
    if (this.#isPumping) return;
    this.#written = this.#end;
    this.#tell();
    this.onWritten?.();
  }

  /** A block, and what of it is filled: the last may not be full, and what comes now begins another. */
  #next(): [whole: Buffer, filled: Buffer] {
    const whole = this.#waiting.shift()!;
    const block = this.#waiting.length === 0 ? whole.subarray(0, this.#filled) : whole;
    this.#waitingBytes -= block.length;
    return [whole, block];
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#broken(cause);
    }
  }

  #broken(cause: unknown): void {
    this.fail(new GatewayError('blobs_unavailable', { cause, retryAfterMs: 5000 }));
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve));
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  /** Closes the file once nothing uses it: the number of a closed file may belong to another one. */
  #close(): void {
    if (this.#isPumping || this.#reading > 0) return;
    const file = this.#file;
    this.#file = undefined;
    // The file has no name, so its bytes are freed even where the close fails.
    if (file !== undefined) void closeFile(file).catch(() => {});
  }
}

function lengthOf(piece: Buffer | BodyStretch): number {
  if (Buffer.isBuffer(piece)) return piece.length;
  const bytes = piece.end - piece.start;
  return piece.base64 ? Math.ceil(bytes / 3) * 4 : bytes;
}

/** Synchronous: a client that sends faster than the loop turns would fill the memory meanwhile. */
function unnamedFile(folder: string): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, randomBytes(16).toString('hex'));
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}
