import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readJournal } from '../../../src/ledger/journal-reader.ts';
import { RecordSender } from '../../../src/ledger/record-sender.ts';
import { RecordFrame } from '../../../src/telemetry/record-frame.ts';
import type { FromRelayThread } from '../../../src/threads/messages.ts';
import { eventually } from '../../support/gateway.ts';
import { ledgerRecord, many, recordsOf } from './records.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-sender-'));
after(() => rmSync(root, { recursive: true, force: true }));

function setup(journalFolder: string | undefined = root) {
  const messages: FromRelayThread[] = [];
  let taken = 0;
  const sender = new RecordSender({
    thread: 0,
    journalFolder,
    send: (message) => messages.push(message),
    framesTaken: () => taken,
  });
  const take = (frames: number): void => {
    taken += frames;
  };
  const idsSent = (type: 'records' | 'ledger-records'): string[] =>
    messages.flatMap((message) => {
      if (message.type !== type) return [];
      const frames = message.type === 'records' ? message.frames : message.frames.map(({ frame }) => frame);
      return frames.flatMap((frame) => new RecordFrame(frame).records()).map((record) => record.id);
    });
  return { sender, messages, take, idsSent };
}

for (const laterMs of [0, 3, 4]) {
  test(`a record is in the journal 10 ms after it was added, and one that comes ${laterMs} ms later with it`, async (context) => {
    // One sender a test: a mocked timer that has fired is not begun again by `refresh`, as a real one is.
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const folder = mkdtempSync(join(root, 'bound-'));
    const { sender } = setup(folder);
    const [first, second] = [ledgerRecord(), ledgerRecord()];
    sender.add(first);
    context.mock.timers.tick(laterMs);
    sender.add(second);
    context.mock.timers.tick(10 - laterMs);
    const [name = ''] = readdirSync(folder);
    assert.notEqual(name, '', 'nothing was written');
    const path = join(folder, name);
    const records = recordsOf(await readJournal(path, 0, statSync(path).size, 10));
    assert.deepEqual(
      records.map((record) => record.id),
      [first.id, second.id],
    );
    sender.close();
  });
}

test('a journalled record is with the main thread soon after, and says where it stands', async () => {
  const { sender, messages, idsSent } = setup();
  const record = ledgerRecord();
  sender.add(record);
  await eventually('it is sent', () => idsSent('ledger-records').length === 1);
  const [message] = messages;
  assert.ok(message?.type === 'ledger-records');
  const place = message.frames[0]?.place;
  assert.ok(place);
  const records = recordsOf(await readJournal(join(root, place.segment), place.start, place.end, 10));
  assert.deepEqual(
    records.map((each) => each.id),
    [record.id],
  );
  sender.close();
});

test('a record of a strict ledger is in the journal as soon as it is asked for, before any turn of the loop', async () => {
  const { sender, messages } = setup();
  const record = ledgerRecord();
  sender.add(record);
  sender.writeJournal();
  sender.close();
  const closed = messages.find((message) => message.type === 'journal-closed');
  assert.ok(closed?.type === 'journal-closed');
  const records = recordsOf(await readJournal(join(root, closed.segment), 0, closed.end, 10));
  assert.deepEqual(
    records.map((each) => each.id),
    [record.id],
  );
});

test('requests without a key, and those that are no inference, are in no journal', () => {
  const { sender, idsSent, messages } = setup();
  const stranger = ledgerRecord({ subject: undefined });
  const list = ledgerRecord({ method: 'GET', path: '/models' });
  sender.add(stranger);
  sender.add(list);
  sender.close();
  assert.deepEqual(idsSent('records'), [stranger.id, list.id]);
  assert.equal(messages.length, 1);
});

/** More than may be underway: 70 messages of 64 frames, each of which is one record. */
const MANY = 70 * 64;

function addMany(sender: RecordSender): void {
  for (const record of many(MANY)) {
    sender.add(record);
    sender.writeJournal();
  }
}

test('frames are withheld and counted while the main thread is behind, and the end of the segment tells of them', async () => {
  const { sender, messages, idsSent } = setup();
  addMany(sender);
  sender.close();
  assert.equal(messages.filter((message) => message.type === 'ledger-records').length, 64);
  assert.ok(sender.dropped > 0);
  const segments = messages.filter((message) => message.type === 'journal-closed');
  let journalled = 0;
  for (const { segment, end } of segments) {
    const part = await readJournal(join(root, segment), 0, end, 1_000_000);
    assert.equal(part.broken, undefined);
    journalled += recordsOf(part).length;
  }
  assert.equal(journalled, MANY);
  assert.equal(idsSent('ledger-records').length + sender.dropped, MANY);
});

test('records are sent on once the main thread has taken what was underway', () => {
  const { sender, take, idsSent } = setup();
  addMany(sender);
  const before = idsSent('ledger-records').length;
  addMany(sender);
  assert.equal(idsSent('ledger-records').length, before, 'the main thread is behind');
  take(64);
  addMany(sender);
  assert.ok(idsSent('ledger-records').length > before);
  sender.close();
});

test('a segment is told as closed only after the frames that stand in it', () => {
  const { sender, messages } = setup();
  for (const record of many(512 * 30)) sender.add(record);
  sender.close();
  const ends = new Map<string, number>();
  for (const message of messages) {
    if (message.type === 'ledger-records')
      for (const { place } of message.frames) if (place) ends.set(place.segment, place.end);
    if (message.type === 'journal-closed') assert.equal(ends.get(message.segment), message.end);
  }
  assert.ok(ends.size > 0);
});

test('all records reach the main thread without a ledger too', () => {
  const messages: FromRelayThread[] = [];
  const sender = new RecordSender({
    thread: 0,
    journalFolder: undefined,
    send: (message) => messages.push(message),
    framesTaken: () => 0,
  });
  assert.equal(sender.hasJournal, false);
  sender.add(ledgerRecord());
  sender.writeJournal();
  sender.close();
  assert.deepEqual(
    messages.map((message) => message.type),
    ['records'],
  );
});

test('records that the journal does not take are sent also while the main thread is behind', () => {
  const { sender, idsSent, messages } = setup(join(root, 'not-there'));
  const records = many(70 * 64);
  for (const record of records) {
    sender.add(record);
    sender.writeJournal();
  }
  sender.close();
  assert.ok(messages.filter(({ type }) => type === 'ledger-records').length > 64);
  assert.deepEqual(
    idsSent('ledger-records'),
    records.map((record) => record.id),
  );
  assert.equal(sender.dropped, 0);
});

test('records without journal and main thread are bounded, and the rest is counted', () => {
  const { sender, idsSent } = setup(join(root, 'not-there'));
  for (const record of many(300 * 64)) {
    sender.add(record);
    sender.writeJournal();
  }
  sender.close();
  assert.ok(sender.dropped > 0);
  assert.equal(idsSent('ledger-records').length + sender.dropped, 300 * 64);
});
