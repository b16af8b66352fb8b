import { randomUUID } from 'node:crypto';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Log } from '../core/log.ts';
import type { BlobStore } from '../files/blob-store.ts';
import { blobFolder } from '../files/blobs-of.ts';
import { DiskBlobs } from '../files/disk-blobs.ts';
import type { Database } from '../store/database.ts';
import {
  type BodiesBlob,
  type BodiesPlace,
  type BodiesReader,
  deleteBodyBlob,
  deleteExpiredBodies,
  expiredBodyBlobs,
  insertBodies,
  insertBodyBlobs,
  type RequestBodiesRow,
  type StoredBodiesRow,
} from '../store/request-bodies.ts';

/** Whose blobs are on their way. */
export const BODIES_OWNER = 'request-log';

const EXPIRE_EVERY_MS = 60_000;
const EXPIRED_BLOBS_AT_ONCE = 100;
/** Bodies of so long go into one blob for each subject: a bucket is paid by the object. */
const GATHER_MS = 1_000;
const GATHER_BYTES = 4_194_304;
const WRITES_AT_ONCE = 8;
const BUCKET = 'bucket';
/** Bodies of one blob expire within so long of each other. */
const EXPIRE_TOGETHER_MS = 60_000;

export interface RequestLogStoreOptions {
  readonly database: Database;
  readonly gatewayId: string;
  readonly blobs: BlobStore;
  readonly settings: () => Pick<ServerSettings, 'dataDir' | 'store' | 'requestLog'>;
  readonly log: Log;
}

interface Gathered {
  readonly rows: readonly RequestBodiesRow[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Keeps bodies, and takes them away when their time is over; nobody sees them from that moment on. In the blob store those
 * of one subject share a blob, so that an erasure takes whole blobs, and nothing of anybody else.
 */
export class RequestLogStore {
  readonly #options: RequestLogStoreOptions;
  readonly #timer: NodeJS.Timeout;
  /** By place; of this gateway's disk also while new ones go to a bucket. */
  readonly #stores = new Map<string, BlobStore>();
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #gathered: Gathered[] = [];
  #gatheredBytes = 0;
  #gatherTimer: NodeJS.Timeout | undefined;

  constructor(options: RequestLogStoreOptions) {
    this.#options = options;
    const { blobs, gatewayId, settings, log } = options;
    const { dataDir, store } = settings();
    this.#stores.set(gatewayId, new DiskBlobs(blobFolder(dataDir), BODIES_OWNER));
    this.#stores.set(store.blobs === 'disk' ? gatewayId : BUCKET, blobs);
    this.#timer = setInterval(() => {
      this.#work = this.expire().catch((error) =>
        log.warn({ error }, 'bodies whose time is over could not be taken away; they are tried again in a minute'),
      );
    }, EXPIRE_EVERY_MS).unref();
  }

  async keep(rows: readonly RequestBodiesRow[]): Promise<void> {
    const { database, settings } = this.#options;
    if (settings().requestLog.store === 'blobs' && !this.#stopped) await this.#gather(rows);
    else await database.write((transaction) => insertBodies(transaction, rows));
  }

  readonly read: BodiesReader = async (place, { id, at, bytes }) => {
    const { log } = this.#options;
    try {
      const blob = await this.#stores.get(place)?.open(id);
      if (blob === undefined) return undefined;
      try {
        const packed = new Uint8Array(bytes);
        for (let read = 0; read < bytes; ) {
          const more = await blob.read(packed.subarray(read), at + read);
          if (more === 0) return undefined;
          read += more;
        }
        return packed;
      } finally {
        await blob.close();
      }
    } catch (error) {
      log.warn({ error, blob: id }, 'bodies could not be read from the blob store');
      return undefined;
    }
  };

  async close(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#flush();
    await this.#work;
  }

  #gather(rows: readonly RequestBodiesRow[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#gathered.push({ rows, done: resolve, failed: reject });
    for (const { data } of rows) this.#gatheredBytes += data.length;
    if (this.#gatheredBytes >= GATHER_BYTES) void this.#flush();
    else this.#gatherTimer ??= setTimeout(() => void this.#flush(), GATHER_MS);
    return promise;
  }

  /** Never rejects: those who wait are told. */
  async #flush(): Promise<void> {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    try {
      await this.#keepInBlobs(gathered.flatMap(({ rows }) => rows));
      for (const { done } of gathered) done();
    } catch (error) {
      for (const { failed } of gathered) failed(error);
    }
  }

  async #keepInBlobs(rows: readonly RequestBodiesRow[]): Promise<void> {
    const { blobs, database, gatewayId, settings } = this.#options;
    const place = settings().store.blobs === 'disk' ? gatewayId : BUCKET;
    const stored: StoredBodiesRow[] = [];
    const made: BodiesBlob[] = [];
    const writers: { publish(): Promise<void>; discard(): Promise<void> }[] = [];
    try {
      const groups = Map.groupBy(rows, groupOf).values();
      const write = async (): Promise<void> => {
        for (const together of groups) {
          const id = `bodies-${randomUUID().replaceAll('-', '')}`;
          const writer = blobs.create(id);
          writers.push(writer);
          await writer.write(Buffer.concat(together.map(({ data }) => data)));
          await writer.seal();
          made.push({ id, place, expiresAt: Math.max(...together.map(({ expiresAt }) => expiresAt)) });
          let at = 0;
          for (const row of together) {
            const blob: BodiesPlace = { id, at, bytes: row.data.length };
            at += row.data.length;
            stored.push({ ...row, blob });
          }
        }
      };
      const written = await Promise.allSettled(Array.from({ length: WRITES_AT_ONCE }, write));
      for (const each of written) if (each.status === 'rejected') throw each.reason;
      await database.write(async (transaction) => {
        await insertBodyBlobs(transaction, made);
        await insertBodies(transaction, stored);
      });
    } catch (error) {
      for (const writer of writers) await writer.discard();
      throw error;
    }
    // With its row a blob is shown at the next start at the latest.
    for (const writer of writers) await writer.publish();
  }

  /** Takes away what has expired; done every minute. */
  async expire(): Promise<void> {
    const { database } = this.#options;
    while (!this.#stopped && (await deleteExpiredBodies(database, Date.now())) > 0);
    for (const [place, store] of this.#stores) {
      for (;;) {
        const ids = await expiredBodyBlobs(database, place, Date.now(), EXPIRED_BLOBS_AT_ONCE);
        for (const id of ids) {
          if (this.#stopped) return;
          await store.withdraw(id);
          await deleteBodyBlob(database, id);
          await store.remove(id);
        }
        if (ids.length < EXPIRED_BLOBS_AT_ONCE) break;
      }
    }
  }
}

function groupOf({ subject, expiresAt }: RequestBodiesRow): string {
  return `${Math.floor(expiresAt / EXPIRE_TOGETHER_MS)} ${subject ?? ''}`;
}
