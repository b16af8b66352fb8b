import { headerOf } from '../core/http-client.ts';
import { BlobFault, type BlobReader, type BlobStore, type BlobWriter } from './blob-store.ts';
import type { DiskBlobs } from './disk-blobs.ts';
import { type S3Client, s3Fault } from './s3-client.ts';

/** So much of a blob is sent or read at once, and in memory. S3 takes parts from 5 MiB on. */
const PART_BYTES = 8_388_608;
const READ_BYTES = 1_048_576;
/** The bound of uploads that failed because the bucket was away; what is left of further ones goes at the next start. */
const MAX_OWED = 10_000;

/**
 * Blobs as objects of a bucket. A blob is first a file in `incoming` of the data folder, so that a client that sends slowly
 * costs no memory, and goes to the bucket when it is whole. That file stays until the row of the blob is written, or its
 * object is gone: what a crash leaves is told by it and by the row, as of blobs on disk.
 */
export class S3Blobs implements BlobStore {
  readonly #client: S3Client;
  readonly #spool: DiskBlobs;
  /** Objects that are to go and that the bucket did not take away yet. */
  readonly #owed = new Set<string>();
  #isPaying = false;

  constructor(client: S3Client, spool: DiskBlobs) {
    this.#client = client;
    this.#spool = spool;
  }

  create(id: string): BlobWriter {
    return new S3Writer(this, this.#spool, id, this.#spool.create(id));
  }

  async open(id: string): Promise<BlobReader | undefined> {
    const answer = await this.#client.send({ method: 'HEAD', id });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw s3Fault(answer);
    this.#pay();
    return new S3Reader(this.#client, id, Number(headerOf(answer, 'content-length')));
  }

  /** Its object stays where it is, and nobody sees it without a row. */
  withdraw(id: string): Promise<void> {
    return this.#spool.mark(id);
  }

  async remove(id: string): Promise<void> {
    await this.delete(id);
    await this.#spool.remove(id);
  }

  restore(id: string): Promise<void> {
    return this.#spool.remove(id);
  }

  async settle(hasRow: (id: string) => Promise<boolean>): Promise<number> {
    const ids = await this.#spool.incoming();
    for (const id of ids) {
      if (await hasRow(id)) await this.#spool.remove(id);
      else await this.remove(id);
    }
    return ids.length;
  }

  /** Its object may be there, and the bucket does not take it away now: it goes as soon as the bucket answers again. */
  async owe(id: string): Promise<void> {
    try {
      await this.#spool.empty(id);
    } catch {
      // The disk fails as well: its bytes stay until the object is gone.
    }
    if (this.#owed.size < MAX_OWED) this.#owed.add(id);
  }

  /** The bucket answers. */
  async #pay(): Promise<void> {
    if (this.#isPaying || this.#owed.size === 0) return;
    this.#isPaying = true;
    try {
      for (const id of this.#owed) {
        await this.remove(id);
        this.#owed.delete(id);
      }
    } catch {
      // It is away again: the next answer says when it is back.
    }
    this.#isPaying = false;
  }

  /** The object alone. */
  async delete(id: string): Promise<void> {
    const answer = await this.#client.send({ method: 'DELETE', id });
    if (answer.status >= 300 && answer.status !== 404) throw s3Fault(answer);
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html for what is longer than a part. */
  async put(id: string, blob: BlobReader): Promise<void> {
    if (blob.bytes <= PART_BYTES) {
      const answer = await this.#client.send({ method: 'PUT', id, body: await part(blob, 0) });
      if (answer.status !== 200) throw s3Fault(answer);
      this.#pay();
      return;
    }
    const begun = await this.#client.send({ method: 'POST', id, query: 'uploads=' });
    const upload = /<UploadId>([^<]+)<\/UploadId>/.exec(begun.body.toString())?.[1];
    if (begun.status !== 200 || upload === undefined) throw s3Fault(begun);
    const uploadId = encodeURIComponent(upload);
    try {
      const tags: string[] = [];
      for (let at = 0; at < blob.bytes; at += PART_BYTES) {
        const query = `partNumber=${tags.length + 1}&uploadId=${uploadId}`;
        const sent = await this.#client.send({ method: 'PUT', id, query, body: await part(blob, at) });
        const tag = headerOf(sent, 'etag');
        if (sent.status !== 200 || tag === undefined) throw s3Fault(sent);
        tags.push(tag);
      }
      const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
      const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
      const done = await this.#client.send({ method: 'POST', id, query: `uploadId=${uploadId}`, body });
      // S3 may begin with 200 and fail afterwards.
      if (done.status !== 200 || done.body.includes('<Error>')) throw s3Fault(done);
      this.#pay();
    } catch (error) {
      // Its parts would be paid for; a rule of the bucket removes those of a gateway that died.
      await this.#client.send({ method: 'DELETE', id, query: `uploadId=${uploadId}` }).catch(() => undefined);
      throw error;
    }
  }
}

async function part(blob: BlobReader, from: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, blob.bytes - from));
  for (let at = 0; at < bytes.length; ) {
    const read = await blob.read(bytes.subarray(at), from + at);
    if (read === 0) throw new BlobFault('What waits for S3 is shorter than it was.', undefined);
    at += read;
  }
  return bytes;
}

class S3Writer implements BlobWriter {
  readonly #store: S3Blobs;
  readonly #spool: DiskBlobs;
  readonly #id: string;
  readonly #file: BlobWriter;
  #isSent = false;

  constructor(store: S3Blobs, spool: DiskBlobs, id: string, file: BlobWriter) {
    this.#store = store;
    this.#spool = spool;
    this.#id = id;
    this.#file = file;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#file.write(bytes);
  }

  writeNow(bytes: Uint8Array): void {
    this.#file.writeNow(bytes);
  }

  async seal(): Promise<void> {
    await this.#file.seal();
    const blob = await this.#spool.openIncoming(this.#id);
    try {
      this.#isSent = true;
      await this.#store.put(this.#id, blob);
    } finally {
      await blob.close();
    }
  }

  publish(): Promise<void> {
    return this.#spool.remove(this.#id);
  }

  async discard(): Promise<void> {
    try {
      if (this.#isSent) await this.#store.delete(this.#id);
    } catch {
      // Its name stays on the disk, and says at the next start as well that the object is to go.
      await this.#store.owe(this.#id);
      return;
    }
    await this.#file.discard();
  }
}

/** Reads ahead: who reads in order asks S3 once for each MiB. */
class S3Reader implements BlobReader {
  readonly bytes: number;
  readonly #client: S3Client;
  readonly #id: string;
  #ahead: Buffer = Buffer.alloc(0);
  #aheadAt = 0;

  constructor(client: S3Client, id: string, bytes: number) {
    this.#client = client;
    this.#id = id;
    this.bytes = bytes;
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    if (at >= this.bytes || into.length === 0) return 0;
    if (at < this.#aheadAt || at >= this.#aheadAt + this.#ahead.length) await this.#fetch(at);
    const from = at - this.#aheadAt;
    const found = this.#ahead.subarray(from, from + into.length);
    into.set(found);
    return found.length;
  }

  async #fetch(at: number): Promise<void> {
    const end = Math.min(this.bytes, at + READ_BYTES);
    const answer = await this.#client.send({
      method: 'GET',
      id: this.#id,
      headers: { range: `bytes=${at}-${end - 1}` },
    });
    if (answer.status !== 206 || answer.body.length === 0) throw s3Fault(answer);
    this.#ahead = answer.body;
    this.#aheadAt = at;
  }

  async close(): Promise<void> {
    this.#ahead = Buffer.alloc(0);
  }
}
