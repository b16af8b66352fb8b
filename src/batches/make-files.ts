import { createHash, randomBytes } from 'node:crypto';
import { readBatchLine } from '../files/batch-lines.ts';
import { linesOf } from '../files/blob-lines.ts';
import type { BlobReader, BlobStore, BlobWriter } from '../files/blob-store.ts';
import type { ResultPage } from '../store/batch-results.ts';
import type { StoredBatch } from '../store/batches.ts';
import type { StoredFile } from '../store/files.ts';
import type { LineResult } from '../store/result-block.ts';
import { unansweredLine } from './line-result.ts';

const BLOCK_BYTES = 262_144;
const LINE_END = Buffer.from('\n');
const EXPIRED = 'This request could not be run before the completion window of its batch expired.';

export interface FileMaking {
  readonly batch: StoredBatch;
  readonly blobs: BlobStore;
  /** Where lines without results are told: the input; undefined: they are left out. */
  readonly input: BlobReader | undefined;
  readonly maxLineBytes: number;
  /** Those of a piece, or of the next one behind it; undefined: there is none. */
  results(fromPiece: number): Promise<ResultPage | undefined>;
  /** Called now and then: rejects if it is to end. */
  goOn(): Promise<void>;
}

/** Files that are whole and not shown yet. */
export interface MadeFiles {
  readonly output: MadeFile | undefined;
  readonly error: MadeFile | undefined;
  /** Lines of the error file. */
  readonly failed: number;
}

export interface MadeFile {
  readonly file: StoredFile;
  readonly writer: BlobWriter;
}

/** The output and the error file of a batch, in the order of its input. Where it throws, nothing of them stays. */
export async function makeFiles(making: FileMaking, now: number): Promise<MadeFiles> {
  const output = new LineFile(making, 'output');
  const error = new LineFile(making, 'error');
  const lines = making.input === undefined ? resultsOf(making) : withUnanswered(making, making.input);
  try {
    for await (const together of lines) {
      for (const { failed, result } of together) {
        const file = failed ? error : output;
        file.add(result);
        if (file.isFull) await file.write();
      }
    }
    return { output: await output.finish(now), error: await error.finish(now), failed: error.lines };
  } catch (thrown) {
    await output.discard();
    await error.discard();
    throw thrown;
  }
}

/** Those of a piece together. */
async function* resultsOf({ results, goOn }: FileMaking): AsyncGenerator<readonly LineResult[]> {
  for (let from = 0; ; ) {
    await goOn();
    const page = await results(from);
    if (page === undefined) return;
    yield page.results;
    from = page.piece + 1;
  }
}

type WrittenLine = Pick<LineResult, 'failed' | 'result'>;

/** Each line of the input, with its result or why it has none; those of a read together. */
async function* withUnanswered(making: FileMaking, input: BlobReader): AsyncGenerator<readonly WrittenLine[]> {
  const pages = resultsOf(making);
  let page: readonly LineResult[] = [];
  let next = 0;
  let number = 0;
  for await (const lines of linesOf(input, 0, input.bytes, making.maxLineBytes)) {
    const written: WrittenLine[] = [];
    for (const { bytes } of lines) {
      while (next === page.length) {
        const { done, value } = await pages.next();
        if (done) break;
        page = value;
        next = 0;
      }
      const result = page[next];
      if (result?.line === number) {
        written.push(result);
        next += 1;
      } else {
        const line = readBatchLine(bytes);
        const customId = typeof line === 'string' ? `line ${number + 1}` : line.customId;
        written.push({ failed: true, result: unansweredLine(customId, 'batch_expired', EXPIRED) });
      }
      number += 1;
    }
    yield written;
  }
}

/** Begun with its first line: one without lines does not exist. */
class LineFile {
  lines = 0;
  readonly #making: FileMaking;
  readonly #kind: 'output' | 'error';
  readonly #id = `file-${randomBytes(15).toString('hex')}`;
  readonly #hash = createHash('sha256');
  #writer: BlobWriter | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #bytes = 0;

  constructor(making: FileMaking, kind: 'output' | 'error') {
    this.#making = making;
    this.#kind = kind;
  }

  /** So much waits that it is to be written. */
  get isFull(): boolean {
    return this.#waitingBytes >= BLOCK_BYTES;
  }

  add(line: Uint8Array): void {
    this.lines += 1;
    this.#waiting.push(line, LINE_END);
    this.#waitingBytes += line.length + LINE_END.length;
  }

  async finish(now: number): Promise<MadeFile | undefined> {
    if (this.lines === 0) return undefined;
    const writer = await this.write();
    await writer.seal();
    const { id, owner, createdBy, outputExpiresAfterMs } = this.#making.batch;
    const file: StoredFile = {
      id: this.#id,
      owner,
      createdBy,
      filename: `${id}_${this.#kind}.jsonl`,
      purpose: 'batch_output',
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
      createdAt: now,
      expiresAt: outputExpiresAfterMs === undefined ? undefined : now + outputExpiresAfterMs,
    };
    return { file, writer };
  }

  async discard(): Promise<void> {
    await this.#writer?.discard();
  }

  async write(): Promise<BlobWriter> {
    this.#writer ??= this.#making.blobs.create(this.#id);
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#bytes += bytes.length;
    this.#hash.update(bytes);
    await this.#writer.write(bytes);
    return this.#writer;
  }
}
