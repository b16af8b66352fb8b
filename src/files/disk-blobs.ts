import { close, fsync, mkdirSync, openSync, write, writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BlobFault, type BlobReader, type BlobStore, type BlobWriter } from './blob-store.ts';

const closeFile = promisify(close);
const syncFile = promisify(fsync);
const writeFile = promisify(write);

const INCOMING = 'incoming-';

/**
 * Blobs as files of a folder: `<two characters>/<id>` those that are whole, `incoming-<owner>/<id>` those that are not yet,
 * or not any more. A blob goes from `incoming` to its place after its row was written, and back before the row is deleted. So
 * what a crash leaves in `incoming` is told by its row alone: with one it is whole, without one it is nothing.
 */
export class DiskBlobs implements BlobStore {
  readonly #folder: string;
  readonly #incomingName: string;

  /** `folder` need not exist. `owner` tells those apart whose blobs are on their way. */
  constructor(folder: string, owner: string) {
    this.#folder = folder;
    this.#incomingName = `${INCOMING}${owner}`;
  }

  /** Synchronous: a client that sends faster than the loop turns would fill the memory meanwhile. */
  create(id: string): BlobWriter {
    return guardedNow(() => {
      mkdirSync(join(this.#folder, this.#incomingName), { recursive: true, mode: 0o700 });
      return new DiskWriter(this, this.#incoming(id), id, openSync(this.#incoming(id), 'wx', 0o600));
    });
  }

  async open(id: string): Promise<BlobReader | undefined> {
    return guarded(async () => {
      const handle = await openIfThere(this.#place(id));
      if (handle === undefined) return undefined;
      return new DiskReader(handle, (await handle.stat()).size);
    });
  }

  withdraw(id: string): Promise<void> {
    return guarded(async () => {
      await this.#makeIncoming();
      await renameIfThere(this.#place(id), this.#incoming(id));
    });
  }

  remove(id: string): Promise<void> {
    return guarded(() => rm(this.#incoming(id), { force: true }));
  }

  /** To its place, for good. */
  publish(id: string): Promise<void> {
    return guarded(async () => {
      const folder = join(this.#folder, id.slice(-2));
      const made = await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(this.#incoming(id), this.#place(id));
      await syncFolder(folder);
      if (made !== undefined) await syncFolder(this.#folder);
    });
  }

  restore(id: string): Promise<void> {
    return guarded(() => renameIfThere(this.#incoming(id), this.#place(id)));
  }

  /** What this owner left half way when it died: with a row it goes to its place, without one it goes. Gives how many. */
  async settle(hasRow: (id: string) => Promise<boolean>): Promise<number> {
    const ids = await this.incoming();
    for (const id of ids) {
      if (await hasRow(id)) await this.publish(id);
      else await this.remove(id);
    }
    return ids.length;
  }

  /** Ids of blobs of this owner that are on their way. */
  incoming(): Promise<string[]> {
    return guarded(() => namesIn(join(this.#folder, this.#incomingName)));
  }

  /** Opens a blob that is whole and not published. */
  openIncoming(id: string): Promise<BlobReader> {
    return guarded(async () => {
      const handle = await open(this.#incoming(id), 'r');
      return new DiskReader(handle, (await handle.stat()).size);
    });
  }

  /** An empty one: for a store that keeps no bytes here. */
  mark(id: string): Promise<void> {
    return guarded(async () => {
      await this.#makeIncoming();
      await (await open(this.#incoming(id), 'a', 0o600)).close();
      await syncFolder(join(this.#folder, this.#incomingName));
    });
  }

  /** The name of one that is on its way stays, its bytes go. */
  empty(id: string): Promise<void> {
    return guarded(async () => (await open(this.#incoming(id), 'w', 0o600)).close());
  }

  /** All that ever had blobs on their way. */
  static async ownersIn(folder: string): Promise<string[]> {
    const names = await guarded(() => namesIn(folder));
    return names.filter((name) => name.startsWith(INCOMING)).map((name) => name.slice(INCOMING.length));
  }

  async #makeIncoming(): Promise<void> {
    await mkdir(join(this.#folder, this.#incomingName), { recursive: true, mode: 0o700 });
  }

  #incoming(id: string): string {
    return join(this.#folder, this.#incomingName, id);
  }

  /** Ids are random to their end, so no folder gets more than its share. */
  #place(id: string): string {
    return join(this.#folder, id.slice(-2), id);
  }
}

class DiskWriter implements BlobWriter {
  readonly #store: DiskBlobs;
  readonly #path: string;
  readonly #id: string;
  readonly #file: number;
  /** Where the next bytes go: what is written at once may overtake what is on its way. */
  #end = 0;
  #open = true;

  constructor(store: DiskBlobs, path: string, id: string, file: number) {
    this.#store = store;
    this.#path = path;
    this.#id = id;
    this.#file = file;
  }

  write(bytes: Uint8Array): Promise<void> {
    const place = this.#end;
    this.#end += bytes.length;
    return guarded(async () => {
      // A disk that is nearly full takes a part and says so with the next.
      for (let at = 0; at < bytes.length; ) {
        at += (await writeFile(this.#file, bytes, at, bytes.length - at, place + at)).bytesWritten;
      }
    });
  }

  writeNow(bytes: Uint8Array): void {
    guardedNow(() => {
      for (let at = 0; at < bytes.length; ) {
        const written = writeSync(this.#file, bytes, at, bytes.length - at, this.#end);
        at += written;
        this.#end += written;
      }
    });
  }

  seal(): Promise<void> {
    return guarded(async () => {
      await syncFile(this.#file);
      this.#open = false;
      await closeFile(this.#file);
      await syncFolder(join(this.#path, '..'));
    });
  }

  publish(): Promise<void> {
    return this.#store.publish(this.#id);
  }

  async discard(): Promise<void> {
    try {
      if (this.#open) await closeFile(this.#file);
      this.#open = false;
      await rm(this.#path, { force: true });
    } catch {
      // The next start removes it: it has no row.
    }
  }
}

class DiskReader implements BlobReader {
  readonly bytes: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.bytes = bytes;
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return guarded(async () => (await this.#handle.read(into, 0, into.length, at)).bytesRead);
  }

  async close(): Promise<void> {
    try {
      await this.#handle.close();
    } catch {
      // It was only read.
    }
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error);
  }
}

function guardedNow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw faultOf(error);
  }
}

function faultOf(error: unknown): BlobFault {
  const code = codeOf(error);
  return new BlobFault(WORDS[code ?? ''] ?? `It failed with ${code ?? 'an unknown error'}.`, error);
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'Its disk is full.',
  EDQUOT: 'Its quota is used up.',
  EACCES: 'It may not be written or read.',
  EPERM: 'It may not be written or read.',
  EROFS: 'Its file system is read-only.',
  EMFILE: 'No file descriptor is free.',
  ENFILE: 'No file descriptor is free.',
};

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another one was faster, or it never was here.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A rename lasts once its folder does. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
