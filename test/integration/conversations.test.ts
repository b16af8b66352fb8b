import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { disposeAfter } from '../support/dispose-after.ts';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { completion, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { openAccount } from '../support/scripted-provider.ts';

const passed = readFileSync(join(import.meta.dirname, '../fixtures/responses/text.json'));

let provider: FakeProvider;
let gateway: RunningGateway;
let client: OpenAI;
let other: OpenAI;

before(async () => {
  provider = await startProvider(({ path }, response) => {
    if (path.endsWith('/responses')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(passed);
    } else sendJson(response, 200, completion('Grüezi'));
  });
  const integrations = [
    { name: 'gpt', type: 'integration/model/openai', model_id: 'gpt-5', model_types: ['chat', 'responses'] },
  ];
  gateway = await startGateway({
    keys: [
      { name: 'test', key: KEY, subject: 'virtualaccount:test' },
      { name: 'other', key: 'other key', subject: 'user:other@example.com' },
    ],
    manifests: [
      openAccount('chats', `${provider.origin}/v1`),
      openAccount('own', `${provider.origin}/v1`, { integrations }),
    ],
  });
  const at = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  client = at(KEY);
  other = at('other key');
});
disposeAfter(() => [gateway, provider]);

const lastRequest = () => JSON.parse(provider.requests.at(-1)!.body.toString());
const message = (content: string) => ({ type: 'message' as const, role: 'user' as const, content });

describe('a conversation', () => {
  test('a conversation is made, shown, renamed and deleted by its caller, and does not exist for anybody else', async () => {
    const made = await client.conversations.create({ metadata: { topic: 'locks' }, items: [message('Hi')] });
    assert.match(made.id, /^conv_/);
    assert.deepEqual(await client.conversations.retrieve(made.id), made);
    const renamed = await client.conversations.update(made.id, { metadata: { topic: 'weirs' } });
    assert.deepEqual(renamed, { ...made, metadata: { topic: 'weirs' } });
    const { conversations } = other;
    const attempts: (() => PromiseLike<unknown>)[] = [
      () => conversations.retrieve(made.id),
      () => conversations.update(made.id, { metadata: {} }),
      () => conversations.delete(made.id),
      () => conversations.items.list(made.id),
      () => conversations.items.create(made.id, { items: [message('Me too')] }),
    ];
    for (const attempt of attempts) await assert.rejects(async () => attempt(), { status: 404 });
    const asked = other.responses.create({ model: 'chats/m', input: 'Hi', conversation: made.id });
    await assert.rejects(asked, { status: 400, code: 'conversation_not_found', param: 'conversation' });
    const deleted = await client.conversations.delete(made.id);
    assert.deepEqual(deleted, { id: made.id, object: 'conversation.deleted', deleted: true });
    await assert.rejects(client.conversations.retrieve(made.id), { status: 404 });
  });

  test('a conversation takes no item that no model could take, and says which it is', async () => {
    const { id } = await client.conversations.create();
    const attempts: [item: object, param: string][] = [
      [{ type: 'nope' }, 'items[1].type'],
      [{ role: 'user' }, 'items[1].content'],
      [{ role: 'wizard', content: 'Hi' }, 'items[1].role'],
      [{ type: 'item_reference', id: 'msg_1' }, 'items[1].id'],
    ];
    for (const [item, param] of attempts) {
      const items = [message('Hi'), item] as OpenAI.Responses.ResponseInputItem[];
      await assert.rejects(client.conversations.create({ items }), { status: 400, param });
      await assert.rejects(client.conversations.items.create(id, { items }), { status: 400, param });
    }
    const others = [{ type: 'mcp_call' }, { type: 'compaction', encrypted_content: 'gAAAAABk' }];
    await client.conversations.items.create(id, { items: others as OpenAI.Responses.ResponseInputItem[] });
  });

  test('a conversation has items that are added, told in pages in either order, shown and deleted one by one', async () => {
    const { id } = await client.conversations.create();
    const items = ['One', 'Two', 'Three'].map(message);
    const added = await client.conversations.items.create(id, { items });
    assert.deepEqual([added.data.length, added.has_more, added.first_id], [3, false, added.data[0]!.id]);
    const texts: unknown[] = [];
    for await (const item of client.conversations.items.list(id, { limit: 1, order: 'asc' })) {
      texts.push('content' in item && item.content);
    }
    assert.deepEqual(
      texts,
      ['One', 'Two', 'Three'].map((text) => [{ type: 'input_text', text }]),
    );
    const newest = await client.conversations.items.list(id, { limit: 1 });
    assert.equal(newest.data[0]!.id, added.data[2]!.id);
    const one = await client.conversations.items.retrieve(added.data[0]!.id!, { conversation_id: id });
    assert.deepEqual(one, added.data[0]);
    assert.equal((await client.conversations.items.delete(one.id!, { conversation_id: id })).id, id);
    await assert.rejects(client.conversations.items.retrieve(one.id!, { conversation_id: id }), { status: 404 });
    const many = Array.from({ length: 21 }, () => message('Too many'));
    await assert.rejects(client.conversations.items.create(id, { items: many }), { status: 400, param: 'items' });
    const wrong = { metadata: { count: 1 as unknown as string } };
    await assert.rejects(client.conversations.create(wrong), { status: 400, param: 'metadata' });
  });

  test('a conversation goes on over any provider: each turn is sent all items, and adds its own', async () => {
    const { id } = await client.conversations.create({ items: [message('My name is Ada.')] });
    const first = await client.responses.create({ model: 'chats/m', input: 'Who am I?', conversation: id });
    assert.deepEqual(first.conversation, { id });
    const asked = () => lastRequest().messages.map(({ content }: { content: string }) => content);
    assert.deepEqual(asked(), ['My name is Ada.', 'Who am I?']);
    await client.responses.create({ model: 'chats/m', input: 'Sure?', conversation: { id }, store: false });
    assert.deepEqual(asked(), ['My name is Ada.', 'Who am I?', 'Grüezi', 'Sure?']);
    await client.responses.create({ model: 'own/gpt', input: 'And you?', conversation: id });
    const passed = lastRequest();
    assert.equal(passed.conversation, null);
    assert.equal(passed.input.length, 6);
    assert.ok(passed.input.every((item: { id?: string }) => item.id === undefined));
    await client.responses.create({ model: 'chats/m', input: 'Last', conversation: id });
    assert.equal(asked().length, 8);
    const items = await client.conversations.items.list(id, { order: 'asc', limit: 100 });
    assert.ok(items.data.length >= 9);
  });

  test('a conversation and a previous response are not given together, and a response in it is gone on from by it alone', async () => {
    const { id } = await client.conversations.create();
    const first = await client.responses.create({ model: 'chats/m', input: 'Hi', conversation: id });
    const both = { model: 'chats/m', input: 'Hi', conversation: id, previous_response_id: first.id };
    await assert.rejects(client.responses.create(both), { status: 400, param: 'conversation' });
    const { conversation: _, ...alone } = both;
    await assert.rejects(client.responses.create(alone), { status: 400, param: 'previous_response_id' });
  });

  test('items that a turn names by their ids are those of the caller’s own answers', async () => {
    const first = await client.responses.create({ model: 'chats/m', input: 'My name is Ada.' });
    const reference = { type: 'item_reference' as const, id: first.output[0]!.id! };
    const input = [message('My name is Ada.'), reference, message('Who am I?')];
    await client.responses.create({ model: 'chats/m', input });
    assert.deepEqual(
      lastRequest().messages.map(({ content }: { content: string }) => content),
      ['My name is Ada.', 'Grüezi', 'Who am I?'],
    );
    await assert.rejects(other.responses.create({ model: 'chats/m', input }), { status: 400, param: 'input' });
  });
});
