import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MAGIC } from '../../../src/ledger/journal-format.ts';
import { readJournal } from '../../../src/ledger/journal-reader.ts';
import { JournalWriter, type JournalWriterOptions } from '../../../src/ledger/journal-writer.ts';
import { encodeBatch } from '../../../src/telemetry/encode-batch.ts';
import type { ExchangeRecord } from '../../../src/telemetry/exchange-record.ts';
import type { JournalPlace } from '../../../src/threads/messages.ts';
import { ledgerRecord, many, recordsOf, refusedRecord } from './records.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
after(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function setup(more: Pick<Partial<JournalWriterOptions>, 'segmentBytes' | 'segmentMs' | 'open'> = {}) {
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

test('a journal has room for every exchange that is open, and room without a frame reads as nothing', async () => {
  let open = 3;
  const { folder, writer, closed } = setup({ open: () => open });
  mkdirSync(folder);
  assert.ok(writer.hasRoom());
  const kept = many(2);
  const place = writer.append(encodeBatch(kept)) as JournalPlace;
  const path = join(folder, place.segment);
  const reserved = statSync(path).size;
  assert.ok(reserved - place.end > 4 * 2_048, 'for those that are open and one more');
  // As a crash leaves it.
  const part = await readJournal(path, 0, reserved, 1000);
  assert.deepEqual([plain(recordsOf(part)), part.next, part.broken], [plain(kept), reserved, undefined]);
  open = 0;
  writer.close();
  assert.equal(statSync(path).size, place.end, 'what was not used is given back');
  assert.deepEqual(closed, [{ segment: place.segment, end: place.end }]);
});

test('a frame that is missing before another one is noticed', async () => {
  const { folder, writer } = setup();
  mkdirSync(folder);
  const places = [1, 2, 3].map(() => writer.append(encodeBatch(many(2))) as JournalPlace);
  writer.close();
  const path = join(folder, places[0]!.segment);
  const bytes = readFileSync(path);
  bytes.fill(0, places[1]!.start, places[1]!.end);
  writeFileSync(path, bytes);
  const part = await readJournal(path, 0, bytes.length, 1000);
  assert.equal(part.next, places[0]!.end);
  assert.match(part.broken ?? '', /a frame is missing/);
});

test('the next segment has its room before the last one gives back its own', () => {
  const { folder, writer, closed } = setup({ open: () => 100, segmentBytes: 1_000 });
  mkdirSync(folder);
  writer.hasRoom();
  for (let round = 0; round < 20; round += 1) {
    writer.append(encodeBatch(many(5)));
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    assert.ok(Math.max(...sizes) >= 100 * 2_048, `${sizes}`);
  }
  assert.ok(closed.length > 1);
  writer.close();
});

test('a segment that got no frame is taken away', () => {
  const { folder, writer, closed } = setup();
  mkdirSync(folder);
  assert.ok(writer.hasRoom());
  assert.equal(readdirSync(folder).length, 1);
  writer.close();
  assert.deepEqual([readdirSync(folder), closed], [[], []]);
});
