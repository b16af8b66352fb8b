import { checkInput } from '../batches/check-input.ts';
import { type MadeFiles, makeFiles } from '../batches/make-files.ts';
import type { ServerSettings } from '../config/server/server-settings.ts';
import type { Log } from '../core/log.ts';
import { withoutBasePath } from '../edge/routes.ts';
import type { BlobStore } from '../files/blob-store.ts';
import { advancePieces, beginBatch, keeperOf, leavePieces, piecesOf } from '../store/batch-pieces.ts';
import { forgetLines, keepFiles, resultPage } from '../store/batch-results.ts';
import {
  type BatchStatus,
  changeBatch,
  type FinalStatus,
  findBatch,
  insertBatch,
  keepBatch,
  openBatches,
  pageOfBatches,
  type StoredBatch,
} from '../store/batches.ts';
import type { Database } from '../store/database.ts';
import { findFile } from '../store/files.ts';
import { beginCharge, endCharge, findProviderBatch, insertProviderBatch } from '../store/provider-batches.ts';
import { DatabaseAway } from '../store/store-fault.ts';
import type { BatchAnswer, BatchQuestion } from '../threads/batch-messages.ts';

/** Behind it the pieces of a gateway that says nothing are run by others. */
const LEASE_MS = 30_000;
/** The gateway that charges a batch of a provider reads its results once, and has so long. */
const CHARGE_MS = 600_000;
/** Between two looks at batches that have not ended. */
const LOOK_MS = 1_000;
/** Where other gateways may have begun or left one. */
const LOOK_FOR_OTHERS_MS = 5_000;
/** After news of its own threads. */
const SOON_MS = 50;

export interface BatchServiceOptions {
  readonly database: Database;
  readonly gatewayId: string;
  readonly blobs: BlobStore;
  settings(): ServerSettings;
  /** There are lines that nobody runs. */
  onWork(): void;
  readonly log: Log;
  readonly now?: () => number;
}

class Closing extends Error {}

/**
 * Batches from their making to their end, but for the running of their lines, which relay threads do: checks inputs, gives
 * pieces to threads, keeps results, and makes the files. What it does is kept step by step in the database: after a crash
 * it goes on where it was.
 */
export class BatchService {
  readonly #options: BatchServiceOptions;
  readonly #now: () => number;
  /** The place of batches whose files only this gateway reads. */
  readonly #place: string;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #look: Promise<void> | undefined;
  #isClosing = false;
  #left: Promise<void> = Promise.resolve();

  constructor(options: BatchServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#place = options.settings().store.blobs === 'disk' ? options.gatewayId : '';
  }

  /** What an earlier run of this gateway had under way is free again. */
  async start(): Promise<void> {
    const { database, gatewayId } = this.#options;
    await leavePieces(database, gatewayId, undefined);
    await forgetLines(database);
    this.#lookIn(SOON_MS);
  }

  /** Never throws. */
  async answer(thread: number, question: BatchQuestion): Promise<BatchAnswer> {
    try {
      return await this.#ask(thread, question);
    } catch (error) {
      if (error instanceof DatabaseAway) return { kind: 'away' };
      this.#options.log.error({ error, question: question.kind }, 'batches could not be asked');
      return { kind: 'failed' };
    }
  }

  threadDied(thread: number): void {
    const { database, gatewayId, log } = this.#options;
    this.#left = this.#left
      .then(() => leavePieces(database, gatewayId, thread))
      .catch((error) => log.warn({ error }, 'lines of a dead thread are run again when their lease has ended'));
    this.#lookIn(SOON_MS);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#look;
    await this.#left;
  }

  async #ask(thread: number, question: BatchQuestion): Promise<BatchAnswer> {
    const { database, gatewayId } = this.#options;
    const now = this.#now();
    switch (question.kind) {
      case 'create':
        return this.#create(question, now);
      case 'list': {
        const batches = await pageOfBatches(database, question.filter);
        return batches === undefined ? { kind: 'absent' } : { kind: 'batches', batches };
      }
      case 'find': {
        const batch = await findBatch(database, question.id, question.owners);
        return batch === undefined ? { kind: 'absent' } : { kind: 'batches', batches: [batch] };
      }
      case 'cancel':
        return this.#cancel(question.id, question.owners, now);
      case 'provider-keep':
        await insertProviderBatch(database, question.batch);
        return { kind: 'done' };
      case 'provider-find':
        return { kind: 'provider-batch', batch: await findProviderBatch(database, question.account, question.id) };
      case 'begin-charge':
        return { kind: 'charge', isYours: await beginCharge(database, question, now + CHARGE_MS, now) };
      case 'end-charge':
        await endCharge(database, question, question.isCharged ? now : undefined);
        return { kind: 'done' };
      case 'advance': {
        const { progresses, claims } = question;
        const lease = { by: keeperOf(gatewayId, thread), until: now + LEASE_MS };
        const advanced = await advancePieces(database, progresses, claims ? this.#place : undefined, lease, now);
        // Where nobody takes on more it may be over.
        const isLast = advanced.claimed === undefined && progresses.some(({ state }) => state !== 'runs');
        if (isLast || advanced.goOn.includes(false)) this.#lookIn(SOON_MS);
        return { kind: 'advanced', advanced };
      }
    }
  }

  async #create({ batch, owners }: Extract<BatchQuestion, { kind: 'create' }>, now: number): Promise<BatchAnswer> {
    const { database, blobs } = this.#options;
    const file = await findFile(database, batch.inputFileId, owners, now);
    if (file === undefined) return { kind: 'unfit', reason: 'You have no file of this id.' };
    if (file.purpose !== 'batch') {
      return { kind: 'unfit', reason: `The file was uploaded for ${file.purpose}; upload it with the purpose batch.` };
    }
    const blob = await blobs.open(file.id);
    await blob?.close();
    if (blob === undefined) return { kind: 'unfit', reason: 'The bytes of this file are not on this gateway.' };
    const made: StoredBatch = { ...batch, place: this.#place };
    await insertBatch(database, made);
    this.#lookIn(0);
    return { kind: 'batches', batches: [made] };
  }

  async #cancel(id: string, owners: readonly string[], now: number): Promise<BatchAnswer> {
    const { database } = this.#options;
    const batch = await findBatch(database, id, owners);
    if (batch === undefined) return { kind: 'absent' };
    const change = { status: 'cancelling', cancelling_at: now };
    const changed = await changeBatch(database.query, id, ['validating', 'in_progress'], change);
    const after = (await findBatch(database, id, owners)) ?? batch;
    if (!changed && after.status !== 'cancelling') {
      return { kind: 'unfit', reason: `It is ${after.status.replace('_', ' ')}: only what runs can be cancelled.` };
    }
    this.#lookIn(SOON_MS);
    return { kind: 'batches', batches: [after] };
  }

  /** The earliest wish counts; there is one look at a time. */
  #lookIn(ms: number): void {
    if (this.#isClosing) return;
    const at = performance.now() + ms;
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#dueAt = Number.POSITIVE_INFINITY;
      const before = this.#look ?? Promise.resolve();
      this.#look = before.then(() => this.#lookAtAll());
    }, ms).unref();
  }

  async #lookAtAll(): Promise<void> {
    if (this.#isClosing) return;
    const { database, log } = this.#options;
    let open = 0;
    try {
      const batches = await openBatches(database, this.#place);
      open = batches.length;
      for (const batch of batches) {
        if (this.#isClosing) return;
        await this.#advance(batch).catch((error) => {
          if (!(error instanceof Closing))
            log.error({ batch: batch.id, error }, 'a batch cannot go on; it is tried again');
        });
      }
    } catch (error) {
      log.warn({ error }, 'batches cannot be looked at now');
      open = 1;
    }
    if (open > 0) this.#lookIn(LOOK_MS);
    else if (database.engine === 'postgres') this.#lookIn(LOOK_FOR_OTHERS_MS);
  }

  async #advance(batch: StoredBatch): Promise<void> {
    const { database, onWork } = this.#options;
    const { id, status, expiresAt } = batch;
    const now = this.#now();
    switch (status) {
      case 'validating':
        if (await this.#keep(id)) await this.#check(batch);
        return;
      case 'in_progress': {
        const { open, run } = await piecesOf(database, id, now);
        if (open === 0) await this.#finalize(batch, 'completed');
        else if (expiresAt > now) {
          if (open > run) onWork();
        } else if (run === 0) await this.#finalize(batch, 'expired');
        return;
      }
      case 'cancelling':
        if ((await piecesOf(database, id, now)).run === 0) await this.#finalize(batch, 'cancelled');
        return;
      case 'finalizing':
        if (await this.#keep(id)) await this.#end(batch, batch.endsAs ?? 'completed');
    }
  }

  #keep(id: string): Promise<boolean> {
    const { database, gatewayId } = this.#options;
    const now = this.#now();
    return keepBatch(database, id, { by: gatewayId, until: now + LEASE_MS }, now);
  }

  async #check(batch: StoredBatch): Promise<void> {
    const { database, blobs, settings, onWork } = this.#options;
    const blob = await blobs.open(batch.inputFileId);
    if (blob === undefined) {
      const message = 'The bytes of its input file are gone.';
      await this.#fail(batch, [{ code: 'input_unavailable', message, line: undefined }]);
      return;
    }
    try {
      const checked = await checkInput(blob, {
        maxLineBytes: settings().limits.maxBodyBytes,
        endpoint: batch.endpoint,
        withoutBasePath,
      });
      if ('faults' in checked) await this.#fail(batch, checked.faults);
      else if (await beginBatch(database, batch.id, checked.pieces, this.#now())) onWork();
    } finally {
      await blob.close();
    }
  }

  async #fail({ id }: StoredBatch, faults: StoredBatch['faults']): Promise<void> {
    const change = { status: 'failed', ended_at: this.#now(), faults: JSON.stringify(faults) };
    await changeBatch(this.#options.database.query, id, ['validating'], change);
  }

  /** From here on no result is taken any more. */
  async #finalize(batch: StoredBatch, endsAs: FinalStatus): Promise<void> {
    const { database } = this.#options;
    if (!(await this.#keep(batch.id))) return;
    // One that is cancelled keeps that status until its files are made.
    const [from, to]: [BatchStatus, BatchStatus] =
      endsAs === 'cancelled' ? ['cancelling', 'cancelling'] : ['in_progress', 'finalizing'];
    const change = { status: to, ends_as: endsAs, finalizing_at: this.#now() };
    if (await changeBatch(database.query, batch.id, [from], change)) await this.#end(batch, endsAs);
  }

  /** First the files are whole, then their rows are written, then they are shown, and only then it has ended. */
  async #end(batch: StoredBatch, status: FinalStatus): Promise<void> {
    const { database, blobs } = this.#options;
    const kept = [batch.outputFileId, batch.errorFileId].filter((id) => id !== undefined);
    // An earlier run came so far.
    for (const id of kept) await blobs.restore(id);
    if (kept.length === 0 && !(await this.#makeFiles(batch, status))) return;
    await changeBatch(database.query, batch.id, ['finalizing', 'cancelling'], { status, ended_at: this.#now() });
    await forgetLines(database);
  }

  async #makeFiles(batch: StoredBatch, status: FinalStatus): Promise<boolean> {
    const { database, blobs, gatewayId, settings } = this.#options;
    const input = status === 'expired' ? await blobs.open(batch.inputFileId) : undefined;
    let keptAt = performance.now();
    let made: MadeFiles;
    try {
      made = await makeFiles(
        {
          batch,
          blobs,
          input,
          maxLineBytes: settings().limits.maxBodyBytes,
          results: (from) => resultPage(database, batch.id, from),
          goOn: async () => {
            if (this.#isClosing) throw new Closing();
            if (performance.now() - keptAt < LEASE_MS / 3) return;
            keptAt = performance.now();
            if (!(await this.#keep(batch.id))) throw new Closing();
          },
        },
        this.#now(),
      );
    } finally {
      await input?.close();
    }
    const { output, error, failed } = made;
    const files = { output: output?.file, error: error?.file, failed };
    const isKept = await keepFiles(database, batch.id, gatewayId, files);
    for (const each of [output, error]) {
      if (isKept) await each?.writer.publish();
      else await each?.writer.discard();
    }
    return isKept;
  }
}
