import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sql } from 'kysely';
import {
  advancePieces,
  type BatchPiece,
  beginBatch,
  type ClaimedPiece,
  keeperOf,
  leavePieces,
  type PieceProgress,
  piecesOf,
} from '../../src/store/batch-pieces.ts';
import { forgetLines, keepFiles, resultPage } from '../../src/store/batch-results.ts';
import {
  changeBatch,
  eraseBatchesOf,
  findBatch,
  insertBatch,
  isInput,
  keepBatch,
  openBatches,
  pageOfBatches,
  type StoredBatch,
} from '../../src/store/batches.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { beginCharge, endCharge, findProviderBatch, insertProviderBatch } from '../../src/store/provider-batches.ts';
import { type LineResult, resultBlock } from '../../src/store/result-block.ts';
import { forEachEngine } from '../support/engines.ts';

const NOW = 1_800_000_000_000;
const OWNERS = ['user:a'];
const LEASE_MS = 30_000;

const batch = (id: string, more: Partial<StoredBatch> = {}): StoredBatch => ({
  id,
  owner: 'user:a',
  createdBy: 'user:a',
  principalJson: '{}',
  place: 'g1',
  endpoint: '/v1/chat/completions',
  inputFileId: 'file-1',
  completionWindow: '24h',
  metadataJson: '{"a":"b"}',
  outputExpiresAfterMs: undefined,
  status: 'validating',
  endsAs: undefined,
  createdAt: NOW,
  expiresAt: NOW + 86_400_000,
  inProgressAt: undefined,
  cancellingAt: undefined,
  finalizingAt: undefined,
  endedAt: undefined,
  total: 0,
  completed: 0,
  failed: 0,
  outputFileId: undefined,
  errorFileId: undefined,
  faults: [],
  ...more,
});
const pieces = (count: number): BatchPiece[] =>
  Array.from({ length: count }, (_, piece) => ({
    piece,
    firstLine: 2 * piece,
    lines: 2,
    fromByte: 100 * piece,
    toByte: 100 * (piece + 1),
  }));
const lease = (by: string, now = NOW) => ({ by, until: now + LEASE_MS });
const result = (line: number, failed = false): LineResult => ({
  line,
  failed,
  result: Buffer.from(`{"line":${line}}`),
});
const block = (...results: LineResult[]) => resultBlock(results);

async function claimPiece(
  database: Database,
  place: string,
  by: { by: string; until: number },
  now: number,
): Promise<ClaimedPiece | undefined> {
  return (await advancePieces(database, [], place, by, now)).claimed;
}

async function advancePiece(
  database: Database,
  progress: PieceProgress,
  by: { by: string; until: number },
  now: number,
): Promise<boolean | undefined> {
  return (await advancePieces(database, [progress], undefined, by, now)).goOn[0];
}

async function resultsOf(database: Database, id: string): Promise<LineResult[]> {
  const found: LineResult[] = [];
  for (let from = 0; ; ) {
    const page = await resultPage(database, id, from);
    if (page === undefined) return found.map((each) => ({ ...each, result: Buffer.from(each.result) }));
    found.push(...page.results);
    from = page.piece + 1;
  }
}

async function begun(database: Database, id: string, count: number, more: Partial<StoredBatch> = {}): Promise<void> {
  await insertBatch(database, batch(id, more));
  assert.equal(await beginBatch(database, id, pieces(count), NOW), true);
}

forEachEngine('batches', (engine) => {
  it('a batch is found by its owners alone, as it was written', async () => {
    const database = await engine.open();
    await insertBatch(database, batch('b1'));
    assert.deepEqual(await findBatch(database, 'b1', OWNERS), batch('b1'));
    assert.equal(await findBatch(database, 'b1', ['user:b']), undefined);
    assert.equal(await isInput(database, 'file-1'), true);
    assert.equal(await isInput(database, 'file-2'), false);
    for (const index of [2, 3]) await insertBatch(database, batch(`b${index}`, { createdAt: NOW + index }));
    const page = async (after: string | undefined) =>
      (await pageOfBatches(database, { owners: OWNERS, after, limit: 2 }))?.map(({ id }) => id);
    assert.deepEqual(await page(undefined), ['b3', 'b2']);
    assert.deepEqual(await page('b2'), ['b1']);
    assert.equal(await page('none'), undefined);
  });

  it('each piece is given once, those of a short batch before the rest of a long one, and again when its lease ends', async () => {
    const database = await engine.open();
    await begun(database, 'long', 4);
    await begun(database, 'short', 1, { createdAt: NOW + 1 });
    const claims = await Promise.all(
      Array.from({ length: 6 }, (_, index) => claimPiece(database, 'g1', lease(keeperOf('g1', index)), NOW)),
    );
    const named = claims.map((claim) => claim && `${claim.batch.id} ${claim.piece}`);
    const expected = ['long 0', 'long 1', 'long 2', 'long 3', 'short 0', undefined];
    assert.deepEqual(new Set(named), new Set(expected));
    assert.ok(named.indexOf('short 0') < 3 || engine.name === 'PostgreSQL', String(named));
    assert.equal(await claimPiece(database, 'g2', lease('g2:0'), NOW), undefined);
    const later = NOW + LEASE_MS;
    assert.equal((await claimPiece(database, 'g1', lease('g1:9', later), later))?.piece, 0);
    // A gateway on another disk has nothing to read here.
    assert.equal(await claimPiece(database, 'g2', lease('g2:0', later), later), undefined);
  });

  it('a result counts once, whoever brings it, and counts are right at every moment', async () => {
    const database = await engine.open();
    await begun(database, 'b', 1);
    await claimPiece(database, 'g1', lease('g1:0'), NOW);
    const progress = { batchId: 'b', piece: 0, state: 'runs' as const };
    const first = { ...progress, results: block(result(0)) };
    assert.equal(await advancePiece(database, first, lease('g1:0'), NOW), true);
    // Its lease ended, and another one ran the piece: both bring line 0.
    const later = NOW + LEASE_MS;
    const claimed = await claimPiece(database, 'g1', lease('g1:1', later), later);
    assert.deepEqual(claimed?.doneLines, [0]);
    const lost = { ...progress, results: undefined, state: 'done' as const };
    await advancePiece(database, lost, lease('g1:1', later), later);
    assert.equal((await piecesOf(database, 'b', later)).open, 1, 'a line without a result is not lost');
    const again = await claimPiece(database, 'g1', lease('g1:1', later), later);
    assert.equal(again?.piece, 0);
    const both = { ...progress, results: block(result(1, true), result(0)) };
    assert.equal(await advancePiece(database, both, lease('g1:0', later), later), false);
    const end = { ...progress, results: block(result(1, true)), state: 'done' as const };
    assert.equal(await advancePiece(database, end, lease('g1:1', later), later), true);
    const found = await findBatch(database, 'b', OWNERS);
    assert.deepEqual([found?.total, found?.completed, found?.failed], [2, 1, 1]);
    assert.deepEqual(await piecesOf(database, 'b', later), { open: 0, run: 0 });
    assert.deepEqual(await resultsOf(database, 'b'), [result(0), result(1, true)]);
  });

  it('no result is taken once files are made, and nothing is given of a batch that was cancelled or has expired', async () => {
    const database = await engine.open();
    await begun(database, 'b', 2);
    await begun(database, 'late', 1, { expiresAt: NOW + 1 });
    const claim = (now: number) => claimPiece(database, 'g1', lease('g1:0', now), now);
    assert.equal((await claim(NOW))?.batch.id, 'b');
    const progress = { batchId: 'b', piece: 0, results: block(result(0)), state: 'runs' as const };
    await changeBatch(database.query, 'b', ['in_progress'], { status: 'cancelling' });
    assert.equal(await claim(NOW + 1), undefined);
    // What was under way is kept, and nothing more is to be run.
    assert.equal(await advancePiece(database, progress, lease('g1:0'), NOW), false);
    assert.equal((await findBatch(database, 'b', OWNERS))?.completed, 1);
    await changeBatch(database.query, 'b', ['cancelling'], { finalizing_at: NOW });
    const more = { ...progress, results: block(result(1)) };
    assert.equal(await advancePiece(database, more, lease('g1:0'), NOW), false);
    assert.equal((await findBatch(database, 'b', OWNERS))?.completed, 1);
  });

  it('one gateway at a time makes the files of a batch, and their rows are written once', async () => {
    const database = await engine.open();
    await begun(database, 'b', 1, { place: '' });
    assert.equal(await keepBatch(database, 'b', lease('g1'), NOW), true);
    assert.equal(await keepBatch(database, 'b', lease('g2'), NOW), false);
    assert.equal(await keepBatch(database, 'b', lease('g1'), NOW), true);
    const output = {
      id: 'file-out',
      owner: 'user:a',
      createdBy: 'user:a',
      filename: 'out',
      purpose: 'batch_output',
      bytes: 1,
      sha256: '',
      createdAt: NOW,
      expiresAt: undefined,
    };
    const files = { output, error: undefined, failed: 0 };
    assert.equal(await keepFiles(database, 'b', 'g2', files), false);
    assert.equal(await keepFiles(database, 'b', 'g1', files), true);
    assert.equal(await keepFiles(database, 'b', 'g1', files), false);
    assert.equal((await findBatch(database, 'b', OWNERS))?.outputFileId, 'file-out');
    assert.equal(await keepBatch(database, 'b', lease('g2', NOW + LEASE_MS), NOW + LEASE_MS), true);
  });

  it('a piece that a dead thread or gateway ran is free at once, and one of others is not', async () => {
    const database = await engine.open();
    await begun(database, 'b', 3, { place: '' });
    for (const by of ['g1:0', 'g1:1', 'g10:0']) await claimPiece(database, 'g1', lease(by), NOW);
    const run = async () => (await piecesOf(database, 'b', NOW)).run;
    await leavePieces(database, 'g1', 0);
    assert.equal(await run(), 2);
    await leavePieces(database, 'g1', undefined);
    assert.equal(await run(), 1);
  });

  it('results that an older version kept line by line stay, and their lines are not run again', async (t) => {
    const name = '0019-batch-blocks';
    const later = Object.entries(MIGRATIONS).filter(([each]) => each >= name);
    t.after(() => Object.assign(MIGRATIONS, Object.fromEntries(later)));
    for (const [each] of later) delete MIGRATIONS[each];
    const place = await engine.newPlace();
    const before = await openDatabase(place);
    await begun(before, 'b', 2, { place: '' });
    for (const [line, failed] of [
      [0, 0],
      [3, 1],
    ])
      await sql`insert into batch_results (batch_id, line, failed, result)
        values ('b', ${line}, ${failed}, ${`{"line":${line}}`})`.execute(before.query);
    await before.close();
    Object.assign(MIGRATIONS, Object.fromEntries(later));
    const database = await engine.open(place);
    const claims = [];
    for (let index = 0; index < 2; index += 1) claims.push(await claimPiece(database, '', lease('g1:0'), NOW));
    assert.deepEqual(
      claims.map((claim) => claim?.doneLines),
      [[0], [3]],
    );
    assert.deepEqual(await resultsOf(database, 'b'), [result(0), result(3, true)]);
  });

  it('the batch of a provider is charged once, by whichever gateway asks first, and again only where that failed', async () => {
    const database = await engine.open();
    const one = { account: 'claude', id: 'msgbatch_1' };
    const kept = { ...one, endpoint: '/v1/chat/completions', inputFileId: 'f', completionWindow: '24h' };
    await insertProviderBatch(database, { ...kept, metadataJson: '{}' });
    assert.deepEqual(await findProviderBatch(database, 'claude', one.id), { ...kept, metadataJson: '{}' });
    const begin = (now: number) => beginCharge(database, one, now + LEASE_MS, now);
    const all = await Promise.all(Array.from({ length: 4 }, () => begin(NOW)));
    assert.deepEqual(
      all.filter((isOurs) => isOurs),
      [true],
    );
    await endCharge(database, one, undefined);
    assert.equal(await begin(NOW), true);
    assert.equal(await begin(NOW + LEASE_MS), true, 'whoever began it died');
    await endCharge(database, one, NOW);
    assert.equal(await begin(NOW + 2 * LEASE_MS), false);
    // One that was begun elsewhere.
    const other = { account: 'main', id: 'batch_1' };
    assert.equal(await beginCharge(database, other, NOW + LEASE_MS, NOW), true);
  });

  it('the lines of a batch go with its end, and stay until then', async () => {
    const database = await engine.open();
    for (const id of ['ended', 'open']) {
      await begun(database, id, 1);
      const progress = { batchId: id, piece: 0, results: block(result(0), result(1)), state: 'done' as const };
      await advancePiece(database, progress, lease('g1:0'), NOW);
    }
    await changeBatch(database.query, 'ended', ['in_progress'], { status: 'completed', ended_at: NOW });
    await forgetLines(database);
    assert.deepEqual(await resultsOf(database, 'ended'), []);
    assert.equal((await resultsOf(database, 'open')).length, 2);
    assert.deepEqual(
      (await openBatches(database, 'g1')).map(({ id }) => id),
      ['open'],
    );
    assert.deepEqual(await openBatches(database, 'g2'), []);
  });

  it('no batch says anything of an erased person, and none is run for it', async () => {
    const database = await engine.open();
    await begun(database, 'b', 1);
    await eraseBatchesOf(database.query, 'user:a', 'user:x', NOW);
    assert.equal(await findBatch(database, 'b', OWNERS), undefined);
    const erased = await findBatch(database, 'b', ['user:x']);
    assert.deepEqual([erased?.status, erased?.createdBy, erased?.metadataJson], ['cancelled', 'user:x', undefined]);
    assert.equal(await claimPiece(database, 'g1', lease('g1:0'), NOW), undefined);
  });
});
