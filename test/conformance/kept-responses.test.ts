import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import {
  advanceResponse,
  cancelResponse,
  eventsAfter,
  failAbandoned,
  renewResponses,
} from '../../src/store/background-responses.ts';
import {
  addItems,
  conversationChain,
  deleteExpiredConversations,
  findItem,
  insertConversation,
  MAX_CONVERSATION_ITEMS,
  pageOfItems,
} from '../../src/store/conversations.ts';
import type { Database } from '../../src/store/database.ts';
import { findChain, findResponse, insertResponse, type KeptResponse } from '../../src/store/responses.ts';
import { forEachEngine } from '../support/engines.ts';

const owner = 'user:ada@example.com';
const NOW = 1_800_000_000_000;
const LATER = NOW + 86_400_000;

const running = (id: string, leaseUntil: number | undefined = NOW + 30_000): KeptResponse => ({
  owner,
  id,
  target: '',
  atProvider: false,
  passed: false,
  previousId: undefined,
  conversationId: undefined,
  createdAt: NOW,
  expiresAt: LATER,
  leaseUntil,
  input: '[]',
  response: JSON.stringify({ id, status: 'queued', background: true }),
});
const statusIn = ({ response }: KeptResponse) => JSON.parse(response).status;

forEachEngine('answers that are kept', (engine) => {
  let database: Database;
  before(async () => {
    database = await engine.open(await engine.newPlace());
  });
  const statusOf = async (id: string) => statusIn((await findResponse(database, id, owner, NOW))!);

  it('an answer whose gateway was not heard of until its lease ended is failed, and one that has ended is not', async () => {
    await insertResponse(database, running('lost', NOW - 1));
    await insertResponse(database, running('alive'));
    await insertResponse(database, { ...running('ended'), leaseUntil: undefined });
    assert.equal(await failAbandoned(database, NOW), 1);
    assert.deepEqual(await Promise.all(['lost', 'alive', 'ended'].map(statusOf)), ['failed', 'queued', 'queued']);
    assert.equal(await failAbandoned(database, NOW), 0);
  });

  it('an answer that was cancelled is not wanted, and nothing that comes late changes it', async () => {
    await insertResponse(database, running('c'));
    const key = { owner, id: 'c' };
    assert.equal(statusIn((await cancelResponse(database, key, NOW)) as KeptResponse), 'cancelled');
    assert.deepEqual(await renewResponses(database, [key], NOW + 60_000), []);
    const ended = { target: 'a/b', atProvider: false, passed: false };
    const late = { ...key, response: '{"status":"completed"}', events: undefined, ended };
    assert.equal(await advanceResponse(database, late), false);
    assert.equal(await statusOf('c'), 'cancelled');
  });

  it('a lease is put off only for its owner, and events are told from any of them on', async () => {
    await insertResponse(database, running('e'));
    const key = { owner, id: 'e' };
    const wanted = await renewResponses(database, [{ owner: 'user:other', id: 'e' }, key], NOW + 90_000);
    assert.deepEqual(
      wanted.map(({ owner, id }) => [owner, id]),
      [[owner, 'e']],
    );
    for (const [first, last] of [
      [0, 2],
      [3, 5],
    ] as const) {
      const events = { first, last, text: `${first}-${last};`, expiresAt: LATER };
      assert.equal(await advanceResponse(database, { ...key, response: undefined, events, ended: undefined }), true);
    }
    assert.deepEqual(await eventsAfter(database, key, -1, NOW), { text: '0-2;3-5;', last: 5 });
    assert.deepEqual(await eventsAfter(database, key, 2, NOW), { text: '3-5;', last: 5 });
    assert.equal(await eventsAfter(database, key, 5, NOW), undefined);
    assert.equal(await eventsAfter(database, key, -1, LATER), undefined, 'they have expired');
  });

  it('nobody goes on from an answer that is still being made, or that stands in a conversation', async () => {
    await insertResponse(database, running('r'));
    assert.equal(await findChain(database, 'r', owner, NOW, 1_000), 'not-ended');
    await insertResponse(database, { ...running('in'), leaseUntil: undefined, conversationId: 'conv' });
    assert.equal(await findChain(database, 'in', owner, NOW, 1_000), 'in-conversation');
  });

  it('items of a conversation keep their order, whoever adds at the same moment, and are told in pages', async () => {
    const key = { owner, id: 'conv_1' };
    await insertConversation(database, { ...key, createdAt: NOW, expiresAt: LATER, metadata: '{}' }, [item('a')]);
    await Promise.all(
      ['b', 'c', 'd', 'e'].map((id) => addItems(database, key, [item(`${id}1`), item(`${id}2`)], LATER)),
    );
    const page = await pageOfItems(database, { ...key, after: undefined, order: 'asc', limit: 20 }, NOW);
    const ids = page!.map(({ id }) => id);
    assert.equal(ids[0], 'a');
    assert.equal(new Set(ids).size, 9);
    for (const id of ['b', 'c', 'd', 'e']) assert.equal(ids.indexOf(`${id}2`), ids.indexOf(`${id}1`) + 1);
    const newest = await pageOfItems(database, { ...key, after: undefined, order: 'desc', limit: 2 }, NOW);
    assert.deepEqual(
      newest!.map(({ id }) => id),
      ids.toReversed().slice(0, 3),
    );
    const next = await pageOfItems(database, { ...key, after: ids[1], order: 'asc', limit: 20 }, NOW);
    assert.deepEqual(
      next!.map(({ id }) => id),
      ids.slice(2),
    );
    assert.equal(await pageOfItems(database, { ...key, after: 'none', order: 'asc', limit: 1 }, NOW), undefined);
    assert.equal(await findItem(database, { ...key, owner: 'user:other' }, 'a', NOW), undefined);
    const chain = await conversationChain(database, key, NOW, 10_000);
    assert.ok(typeof chain === 'object');
    assert.equal(JSON.parse(chain.items).length, 9);
    assert.equal(await conversationChain(database, key, NOW, 10), 'too-long');
  });

  it('a conversation is one account’s as long as that account alone answers in it', async () => {
    const key = { owner, id: 'conv_2' };
    await insertConversation(database, { ...key, createdAt: NOW, expiresAt: LATER, metadata: '{}' }, []);
    const passedAfter = async (target: string, passed: boolean) => {
      await addItems(database, key, [item(target)], LATER, { target, passed });
      const chain = await conversationChain(database, key, NOW, 10_000);
      return typeof chain === 'object' && chain.passed;
    };
    assert.equal(await passedAfter('one/a', true), true);
    assert.equal(await passedAfter('one/b', true), true);
    assert.equal(await passedAfter('two/a', true), false);
    assert.equal(await passedAfter('two/a', true), false, 'what the first made is still in it');
  });

  it('a conversation is full at its bound, absent where there is none, and gone with its items when it has expired', async () => {
    const key = { owner, id: 'conv_3' };
    assert.equal(await addItems(database, key, [item('a')], LATER), 'absent');
    await insertConversation(database, { ...key, createdAt: NOW, expiresAt: NOW, metadata: '{}' }, [item('x')]);
    const many = Array.from({ length: MAX_CONVERSATION_ITEMS }, () => item('y'));
    assert.equal(await addItems(database, key, many, NOW), 'full');
    await deleteExpiredConversations(database, NOW);
    assert.equal(await addItems(database, key, [item('a')], LATER), 'absent');
    const left = await database.query
      .selectFrom('conversation_items')
      .select('id')
      .where('conversation_id', '=', key.id)
      .execute();
    assert.deepEqual(left, []);
  });
});

function item(id: string) {
  return { id, item: JSON.stringify({ type: 'message', role: 'user', content: id }) };
}
