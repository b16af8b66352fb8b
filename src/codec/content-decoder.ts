import {
  type BrotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  type Gunzip,
  type Inflate,
  type InflateRaw,
  type ZstdDecompress,
} from 'node:zlib';

/** Content codings that are understood, as `accept-encoding` names them (RFC 9110 §8.4.1, RFC 7932, RFC 8878). */
export const CONTENT_ENCODINGS = ['gzip', 'deflate', 'br', 'zstd'] as const;
export type ContentEncoding = (typeof CONTENT_ENCODINGS)[number];

/** `identity` where nothing was encoded; undefined: it is none of ours, or several one in the other. */
export function contentEncoding(header: string | undefined): ContentEncoding | 'identity' | undefined {
  if (header === undefined) return 'identity';
  const name = header.trim().toLowerCase();
  if (name === '' || name === 'identity') return 'identity';
  if (name === 'x-gzip') return 'gzip';
  return CONTENT_ENCODINGS.find((each) => each === name);
}

/**
 * The receiver of decoded bytes. Everything comes in a later turn of the loop, in order, and `decodedAll` or
 * `undecodable` once. A zstd that is cut short is not noticed: what is missing of it is for whoever reads the content.
 */
export interface DecodedTaker {
  /** Bytes may be kept by reference. May pause or destroy the decoder. */
  decoded(bytes: Buffer): void;
  /** The input was ended, and all of it was one whole encoding. */
  decodedAll(): void;
  /** It is not what it was said to be; nothing more comes. `detail` is a clause for people. */
  undecodable(detail: string): void;
  /** What was written has been taken up, after `write` returned false. */
  drained?(): void;
}

type Stream = Gunzip | Inflate | InflateRaw | BrotliDecompress | ZstdDecompress;

/**
 * Decodes one body as it comes, in pieces of PIECE_BYTES, on the threads of libuv: a body that grows a thousandfold costs
 * this thread no more at once than the taker does with one piece. Not bounded by itself: the taker counts, and destroys it.
 */
export class ContentDecoder {
  readonly #encoding: ContentEncoding;
  readonly #taker: DecodedTaker;
  #stream: Stream | undefined;
  #writtenBytes = 0;
  #inputEnded = false;
  #paused = false;
  #over = false;

  constructor(encoding: ContentEncoding, taker: DecodedTaker) {
    this.#encoding = encoding;
    this.#taker = taker;
  }

  /** The bytes are kept until they are decoded. False: enough waits; more is better written after `drained`. */
  write(bytes: Buffer): boolean {
    if (this.#over || bytes.length === 0) return true;
    this.#stream ??= this.#open(bytes[0]!);
    this.#writtenBytes += bytes.length;
    return this.#stream.write(bytes);
  }

  /** No more input comes. Nothing at all is no encoding of anything. */
  end(): void {
    if (this.#over) return;
    this.#inputEnded = true;
    this.#stream ??= this.#open(0);
    this.#stream.end();
  }

  /** What was decoded waits, and so will at most one piece more. */
  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  /** Nothing comes any more. */
  destroy(): void {
    this.#over = true;
    this.#stream?.destroy();
  }

  #open(firstByte: number): Stream {
    const stream = openStream(this.#encoding, firstByte);
    stream.on('data', (piece: Buffer) => {
      if (!this.#over) this.#taker.decoded(piece);
    });
    stream.on('drain', () => {
      if (!this.#over) this.#taker.drained?.();
    });
    stream.on('end', () => this.#ended(stream));
    stream.on('error', () => this.#fail(`it is no valid ${this.#encoding}`));
    if (this.#paused) stream.pause();
    return stream;
  }

  #ended(stream: Stream): void {
    // What stands behind it one reader would read and another would not.
    if (!this.#inputEnded || stream.bytesWritten !== this.#writtenBytes || this.#writtenBytes === 0) {
      this.#fail(`it is not one whole ${this.#encoding}`);
      return;
    }
    if (this.#over) return;
    this.#over = true;
    this.#taker.decodedAll();
  }

  #fail(detail: string): void {
    if (this.#over) return;
    this.destroy();
    this.#taker.undecodable(detail);
  }
}

const PIECE_BYTES = 65_536;
/** RFC 9659: no zstd content coding needs a window of more than 8 MB, and a decoder reserves what the frame asks for. */
const MAX_ZSTD_WINDOW_LOG = 23;
/** RFC 1950 §2.2: how a zlib header begins. Some send what it wraps without it, and call that deflate as well. */
const ZLIB_METHOD = 8;

function openStream(encoding: ContentEncoding, firstByte: number): Stream {
  const options = { chunkSize: PIECE_BYTES };
  switch (encoding) {
    case 'gzip':
      return createGunzip(options);
    case 'deflate':
      return (firstByte & 0x0f) === ZLIB_METHOD ? createInflate(options) : createInflateRaw(options);
    case 'br':
      return createBrotliDecompress(options);
    case 'zstd':
      return createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } });
  }
}
