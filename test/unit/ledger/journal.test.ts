import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MAGIC } from '../../../src/ledger/journal-format.ts';
import { readJournal } from '../../../src/ledger/journal-reader.ts';
import { JournalWriter } from '../../../src/ledger/journal-writer.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import type { JournalPlace } from '../../../src/threads/messages.ts';
import { ledgerRecord, many, recordsOf, refusedRecord } from './records.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
after(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function setup(more: { segmentBytes?: number; segmentMs?: number } = {}) {
  folders += 1;
  const folder = join(root, String(folders));
  const closed: { segment: string; end: number }[] = [];
  const faults: unknown[] = [];
  const writer = new JournalWriter({
    folder,
    thread: 3,
    onClosed: (segment, end) => closed.push({ segment, end }),
    onFault: (error) => faults.push(error),
    ...more,
  });
  return { folder, writer, closed, faults };
}

function plain(records: readonly ExchangeRecord[]): unknown {
  return JSON.parse(JSON.stringify(records));
}

test('a journal is read back as it was written, frame by frame or all at once', async () => {
  const { folder, writer, closed } = setup();
  mkdirSync(folder);
  const batches = [many(3), [refusedRecord(), ledgerRecord({ pending: true })], many(600).slice(0, 512)];
  const places = batches.map((batch) => writer.append(encodeBatch(batch)));
  writer.close();
  assert.equal(places[0]?.start, MAGIC.length);
  assert.equal(places[1]?.start, places[0]?.end);
  const last = places[2] as JournalPlace;
  assert.deepEqual(closed, [{ segment: last.segment, end: last.end }]);
  const path = join(folder, last.segment);
  const whole = await readJournal(path, 0, last.end, 100_000);
  assert.deepEqual(plain(recordsOf(whole)), plain(batches.flat()));
  assert.equal(whole.broken, undefined);
  const first = await readJournal(path, 0, last.end, 1);
  assert.deepEqual(plain(recordsOf(first)), plain(batches[0]!));
  const second = await readJournal(path, first.next, last.end, 1);
  assert.deepEqual(plain(recordsOf(second)), plain(batches[1]!));
});

test('a last frame that is torn at any byte costs itself and no other', async () => {
  const { folder, writer } = setup();
  mkdirSync(folder);
  const kept = many(2);
  const first = writer.append(encodeBatch(kept)) as JournalPlace;
  const torn = writer.append(encodeBatch(many(1))) as JournalPlace;
  writer.close();
  const bytes = readFileSync(join(folder, first.segment));
  const path = join(folder, 'cut');
  for (let length = first.end; length < torn.end; length += 1) {
    writeFileSync(path, bytes.subarray(0, length));
    const part = await readJournal(path, 0, length, 1000);
    assert.deepEqual(plain(recordsOf(part)), plain(kept));
    assert.equal(part.next, first.end);
    if (length > first.end) assert.match(part.broken ?? '', /not whole/);
  }
});

test('a changed byte of a journal is noticed, and the frames before it are kept', async () => {
  const { folder, writer } = setup();
  mkdirSync(folder);
  const kept = many(2);
  const first = writer.append(encodeBatch(kept)) as JournalPlace;
  const second = writer.append(encodeBatch(many(1))) as JournalPlace;
  writer.close();
  const bytes = readFileSync(join(folder, first.segment));
  for (const at of [first.end, first.end + 4, first.end + 9, second.end - 1]) {
    const path = join(folder, 'changed');
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ 0x55;
    writeFileSync(path, changed);
    const part = await readJournal(path, 0, bytes.length, 1000);
    assert.deepEqual(plain(recordsOf(part)), plain(kept));
    assert.ok(part.broken);
  }
  const path = join(folder, 'other');
  writeFileSync(path, 'something else altogether');
  assert.match((await readJournal(path, 0, 25, 1000)).broken ?? '', /does not begin/);
});

test('a journal segment is closed when it is full or old, and the next one begins', () => {
  const small = setup({ segmentBytes: 1000 });
  mkdirSync(small.folder);
  const places = [1, 2, 3].map(() => small.writer.append(encodeBatch(many(5))));
  assert.equal(new Set(places.map((place) => place?.segment)).size, 3);
  assert.deepEqual(
    small.closed,
    places.map((place) => ({ segment: place?.segment, end: place?.end })),
  );
  const old = setup({ segmentMs: 0 });
  mkdirSync(old.folder);
  const place = old.writer.append(encodeBatch(many(1)));
  old.writer.tick();
  assert.deepEqual(old.closed, [{ segment: place?.segment, end: place?.end }]);
  old.writer.tick();
  assert.equal(old.closed.length, 1);
});

test('a journal that cannot be written says so and is written again once it can', () => {
  const { folder, writer, faults } = setup();
  assert.equal(writer.append(encodeBatch(many(1))), undefined);
  assert.equal(faults.length, 1);
  mkdirSync(folder);
  assert.ok(writer.append(encodeBatch(many(1))));
  assert.equal(faults.length, 1);
  writer.close();
});
