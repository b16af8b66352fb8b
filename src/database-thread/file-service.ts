import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import { blobFolder, blobsOf, type SettledStore } from '../files/blobs-of.ts';
import { DiskBlobs } from '../files/disk-blobs.ts';
import { isInput } from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { type FileLock, lockFile } from '../store/file-lock.ts';
import {
  deleteExpired,
  deleteFile,
  expiredFiles,
  fileExists,
  findFile,
  insertFile,
  pageOfFiles,
} from '../store/files.ts';
import { isBodyBlob } from '../store/request-bodies.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import type { FileAnswer, FileQuestion } from '../threads/file-messages.ts';

/** How often files are looked for that have expired; nobody sees them from the moment they have. */
const EXPIRE_EVERY_MS = 60_000;
const EXPIRE_PAGE = 100;

export interface FileServiceOptions {
  readonly database: Database;
  readonly server: ServerSettings;
  readonly http: HttpClient;
  readonly log: Log;
}

/** After what a crash left of uploads and deletions was put in order. */
export async function openFiles(options: FileServiceOptions): Promise<FileService> {
  const folder = blobFolder(options.server.dataDir);
  if (options.database.engine === 'postgres' && options.server.store.blobs === 'disk') {
    options.log.warn({ 'store.blobs': 'disk' }, 'uploaded files are on this disk: no other gateway can read them');
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A second gateway on this folder, which nobody should start, must not take the uploads of the first for dead ones.
  const lock = lockFile(join(folder, 'lock'));
  const service = new FileService(options, lock);
  if (lock) for (const owner of await DiskBlobs.ownersIn(folder)) await service.settle(owner);
  return service;
}

/** Answers what relay threads ask of the rows of files, and removes those that have expired. */
export class FileService {
  readonly #options: FileServiceOptions;
  readonly #lock: FileLock | undefined;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> = Promise.resolve();
  /** What dead threads left is put in order until then. */
  #settled: Promise<void> = Promise.resolve();

  constructor(options: FileServiceOptions, lock: FileLock | undefined) {
    this.#options = options;
    this.#lock = lock;
    this.#timer = setInterval(() => {
      this.#work = this.#removeExpired();
    }, EXPIRE_EVERY_MS).unref();
  }

  /** A thread that takes the place of a dead one begins after it: it would lose what it has begun. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  /** `owner`: whose blobs are on their way; what it leaves is put in order by the next start. */
  blobsOf(owner: string): SettledStore {
    const { server, http } = this.#options;
    return blobsOf(server, owner, http);
  }

  threadDied(thread: number): void {
    this.#settled = this.#settled.then(() => this.settle(String(thread)));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
    await this.#settled;
    this.#lock?.release();
  }

  /** Never throws: what cannot be put in order now is tried again at the next start. */
  async settle(owner: string): Promise<void> {
    const { database, log } = this.#options;
    try {
      const blobs = await this.blobsOf(owner).settle(
        async (id) => (await fileExists(database, id)) || (await isBodyBlob(database, id)),
      );
      if (blobs > 0) log.warn({ blobs }, 'uploads that had broken off are put in order');
    } catch (error) {
      log.error({ error }, 'what broken uploads left could not be removed');
    }
  }

  /** Never throws. */
  async answer(question: FileQuestion): Promise<FileAnswer> {
    try {
      return await this.#ask(question);
    } catch (error) {
      if (error instanceof DatabaseAway) return { kind: 'away' };
      this.#options.log.error({ error, question: question.kind }, 'the rows of files could not be asked');
      return { kind: 'failed' };
    }
  }

  async #ask(question: FileQuestion): Promise<FileAnswer> {
    const { database } = this.#options;
    switch (question.kind) {
      case 'insert':
        await insertFile(database, question.file);
        return { kind: 'done' };
      case 'list': {
        const files = await pageOfFiles(database, question.filter, Date.now());
        return files === undefined ? { kind: 'absent' } : { kind: 'files', files };
      }
      case 'find': {
        const file = await findFile(database, question.id, question.owners, Date.now());
        return file === undefined ? { kind: 'absent' } : { kind: 'files', files: [file] };
      }
      case 'delete':
        if (await isInput(database, question.id)) return { kind: 'in-use' };
        return { kind: (await deleteFile(database, question.id, question.owners)) ? 'done' : 'absent' };
    }
  }

  async #removeExpired(): Promise<void> {
    const { database, log } = this.#options;
    const blobs = this.blobsOf('expired');
    try {
      const now = Date.now();
      for (const id of await expiredFiles(database, now, EXPIRE_PAGE)) {
        await blobs.withdraw(id);
        await deleteExpired(database, id, now);
        await blobs.remove(id);
      }
    } catch (error) {
      // The next round tries again.
      log.warn({ error }, 'files that have expired could not be removed');
    }
  }
}
