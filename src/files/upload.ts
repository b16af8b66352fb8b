import { createHash, randomBytes } from 'node:crypto';
import type { PartHead } from '../codec/multipart.ts';
import { MultipartStream } from '../codec/multipart-stream.ts';
import { GatewayError } from '../core/errors.ts';
import type { ArrivingBody, BodyReceiver } from '../core/exchange.ts';
import { BatchLines } from './batch-lines.ts';
import { BlobFault, type BlobStore, type BlobWriter } from './blob-store.ts';
import { UploadForm } from './upload-form.ts';

/** Bytes that wait for the store: above the first the client is paused, below the second it goes on. */
const PAUSE_BYTES = 1_048_576;
const RESUME_BYTES = 262_144;
/**
 * Above it they are written at once. The addon reads a paused client on in the same turn, while the kernel gives half a MiB
 * each time: a fast one would fill the memory before anything else has its turn.
 */
export const MAX_WAITING_BYTES = 2 * PAUSE_BYTES;
const BLOCK_BYTES = 131_072;

export interface UploadedFile {
  readonly id: string;
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly expiresAfterMs: number | undefined;
}

export interface UploadOptions {
  readonly boundary: string;
  readonly body: ArrivingBody;
  readonly blobs: BlobStore;
  readonly maxFileBytes: number;
  readonly maxLineBytes: number;
  mayHold(bytes: number): boolean;
  fileTooLarge(): GatewayError;
  /** The bytes last in the store: writes the row. What it gives, if anything, is why the file may not stay. */
  keep(file: UploadedFile): Promise<GatewayError | undefined>;
  /** It cannot be shown after all: its row goes. */
  forget(id: string): Promise<void>;
  /** The file is there for all who may see it. Called once, or `onRefused` is. */
  onDone(file: UploadedFile): void;
  onRefused(error: GatewayError): void;
  /** Nothing of it is left to do; the last call, once. */
  onOver(): void;
}

/**
 * One file on its way from a client into the blob store. Its bytes are hashed, looked at and written as they come; what
 * waits for the store is bounded, since the client is paused meanwhile. However it ends but well, no blob stays.
 */
export class Upload implements BodyReceiver {
  readonly #options: UploadOptions;
  readonly #id = `file-${randomBytes(15).toString('hex')}`;
  readonly #form = new UploadForm();
  readonly #stream: MultipartStream;
  readonly #lines: BatchLines;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  /** The filled parts of blocks; the one that is being written is none of them. */
  #waiting: Buffer<ArrayBuffer>[] = [];
  /** Blocks that were written. */
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #writer: BlobWriter | undefined;
  #state: 'arrives' | 'arrived' | 'kept' | 'refused' = 'arrives';
  #isPumping = false;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#stream = new MultipartStream(options.boundary, {
      part: (head) => this.#part(head),
      data: (bytes) => this.#data(bytes),
      partEnd: () => {
        this.#form.partEnd();
        return true;
      },
    });
    this.#lines = new BatchLines(options);
  }

  take(bytes: Uint8Array): void {
    if (this.#state !== 'arrives') return;
    this.#stream.take(bytes);
    if (this.#stream.fault !== undefined) this.#refuseForm(this.#stream.fault);
  }

  end(): void {
    if (this.#state !== 'arrives') return;
    const fault = this.#stream.finish();
    if (fault !== undefined) {
      this.#refuseForm(fault);
      return;
    }
    this.#lines.finish();
    const refusal = this.#verdict();
    if (refusal) {
      this.fail(refusal);
      return;
    }
    this.#state = 'arrived';
    void this.#pump();
  }

  /** Whatever the reason, the client's leaving too; without effect once all of it has arrived. */
  fail(error: GatewayError): void {
    if (this.#state !== 'arrives') return;
    this.#refuse(error);
    void this.#pump();
  }

  #refuseForm(fault: string): void {
    this.fail(new GatewayError('invalid_multipart', { detail: `In the form ${fault}.` }));
  }

  #refuse(error: GatewayError): void {
    this.#state = 'refused';
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#options.onRefused(error);
  }

  #part(head: PartHead): boolean {
    const isFile = this.#form.begin(head);
    if (isFile instanceof GatewayError) {
      this.fail(isFile);
      return false;
    }
    if (isFile) void this.#pump();
    return true;
  }

  #data(bytes: Buffer): boolean {
    if (!this.#form.isInFile) {
      const error = this.#form.text(bytes);
      if (error) this.fail(error);
      return error === undefined;
    }
    this.#bytes += bytes.length;
    if (this.#bytes > this.#options.maxFileBytes) {
      this.fail(this.#options.fileTooLarge());
      return false;
    }
    this.#hash.update(bytes);
    // What it is for may stand behind it in the form.
    this.#lines.take(bytes);
    this.#wait(bytes);
    if (this.#waitingBytes > PAUSE_BYTES) this.#options.body.pause();
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#writeNow();
    void this.#pump();
    return this.#state === 'arrives';
  }

  /** Copies the bytes, into memory that was written before. */
  #wait(bytes: Buffer): void {
    this.#waitingBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      let block = this.#waiting.at(-1);
      if (block === undefined || block.length === BLOCK_BYTES) {
        block = (this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)).subarray(0, 0);
        this.#waiting.push(block);
      }
      const filled = block.length;
      const whole = Buffer.from(block.buffer, 0, Math.min(BLOCK_BYTES, filled + bytes.length - at));
      bytes.copy(whole, filled, at);
      at += whole.length - filled;
      this.#waiting[this.#waiting.length - 1] = whole;
    }
  }

  #verdict(): GatewayError | undefined {
    const fields = this.#form.fields();
    if (fields instanceof GatewayError) return fields;
    if (fields.purpose !== 'batch') return undefined;
    const { noRoom, faults } = this.#lines;
    if (noRoom) return new GatewayError('body_memory_full', { retryAfterMs: 1000 });
    if (faults.length === 0) return undefined;
    const told = faults.map(({ line, detail }) => `Line ${line}: ${detail}.`).join(' ');
    return new GatewayError('invalid_file', { param: 'file', detail: told });
  }

  /** The one place that speaks to the store: one call after the other. */
  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      // More may have come between its last look and this turn.
      do await this.#write();
      while (this.#waiting.length > 0);
      if (this.#state === 'arrived') await this.#keep();
    } catch (cause) {
      if (this.#state !== 'refused') this.#refuse(faultOf(cause));
    }
    if (this.#state === 'refused') await this.#writer?.discard();
    this.#isPumping = false;
    if (this.#state === 'refused' || this.#state === 'kept') {
      this.#isPumping = true;
      this.#options.onOver();
    }
  }

  async #write(): Promise<void> {
    while (this.#state !== 'refused') {
      this.#writer ??= this.#options.blobs.create(this.#id);
      const bytes = this.#waiting.shift();
      if (bytes === undefined) return;
      await this.#writer.write(bytes);
      this.#wasWritten(bytes);
      if (this.#state === 'arrives' && this.#waitingBytes < RESUME_BYTES) this.#options.body.resume();
    }
  }

  #writeNow(): void {
    const { blobs } = this.#options;
    try {
      this.#writer ??= blobs.create(this.#id);
      for (let bytes = this.#waiting.shift(); bytes !== undefined; bytes = this.#waiting.shift()) {
        this.#writer.writeNow(bytes);
        this.#wasWritten(bytes);
      }
    } catch (cause) {
      this.fail(faultOf(cause));
    }
  }

  #wasWritten(bytes: Buffer<ArrayBuffer>): void {
    this.#waitingBytes -= bytes.length;
    this.#free.push(Buffer.from(bytes.buffer, 0, BLOCK_BYTES));
  }

  async #keep(): Promise<void> {
    const fields = this.#form.fields();
    const writer = this.#writer;
    if (fields instanceof GatewayError || writer === undefined) throw new Error('the verdict was another one');
    const file: UploadedFile = {
      id: this.#id,
      filename: this.#form.filename ?? '',
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      ...fields,
    };
    await writer.seal();
    const refusal = await this.#options.keep(file);
    if (refusal) {
      this.#refuse(refusal);
      return;
    }
    try {
      await writer.publish();
    } catch (error) {
      await this.#options.forget(file.id);
      throw error;
    }
    this.#state = 'kept';
    this.#options.onDone(file);
  }
}

function faultOf(cause: unknown): GatewayError {
  if (cause instanceof BlobFault) {
    return new GatewayError('blobs_unavailable', { detail: cause.message, retryAfterMs: 5000, cause });
  }
  return new GatewayError('internal_error', { cause });
}
