import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeyedRequest, keyOf } from '../../../src/cache/cache-key.ts';
import { KnownRequests } from '../../../src/cache/known-requests.ts';
import { StoredAnswer } from '../../../src/cache/stored-answer.ts';
import { dialects } from '../../../src/plugs.ts';

const [chat, other] = dialects().filter(({ cached }) => cached !== undefined);
const route = { model: 'main/m', targets: [] };

function request(body: string, changes: object = {}): KeyedRequest {
  const exchange = { body: Buffer.from(body), path: '/x', headers: {} };
  const caller = { principal: { subject: 'a' }, teams: ['red'] };
  const settings = { namespace: 'n', sharedWith: 'nobody' };
  return { exchange, dialect: chat, route, caller, strictForm: false, settings, ...changes } as unknown as KeyedRequest;
}

function held(bytes: number) {
  const about = { target: 'main/m', contentType: 'application/json', stream: false, storedAt: 0, expiresAt: 1 };
  const answer = { about: { ...about, namespace: 'n', exchange: 'ex_1', nanoUsd: 5 }, ends: [bytes], times: [0] };
  return { place: 8, stored: new StoredAnswer({ ...answer, bytes: Buffer.from(new ArrayBuffer(bytes)) }, 'at-once') };
}

test('a request is known by its bytes and by all that its key is made of', () => {
  const known = new KnownRequests();
  const first = request('{"seed":1}');
  known.add(first, keyOf(first, ''), held(10));
  assert.equal(known.find(request('{"seed":1}'))?.held.place, 8);
  const exchange = first.exchange;
  for (const changes of [
    { exchange: { ...exchange, body: Buffer.from('{"seed":2}') } },
    { exchange: { ...exchange, path: '/y' } },
    { exchange: { ...exchange, headers: { query: 'a=b' } } },
    { exchange: { ...exchange, headers: { forwardable: { 'openai-beta': 'x' } } } },
    { dialect: other },
    { route: { model: 'main/n', targets: [] } },
    { caller: { principal: { subject: 'b' }, teams: ['red'] } },
    { strictForm: true },
    { settings: { namespace: 'm', sharedWith: 'nobody' } },
    { settings: { namespace: 'n', sharedWith: 'team' } },
  ])
    assert.equal(known.find(request('{"seed":1}', changes)), undefined, JSON.stringify(changes));
  const isAttributed = { exchange: { ...exchange, headers: { forwardable: { 'user-agent': 'x' } } } };
  assert.equal(known.find(request('{"seed":1}', isAttributed))?.held.place, 8);
});

test('a body that is changed where it lay does not change what is known of it', () => {
  const known = new KnownRequests();
  const first = request('{"seed":1}');
  known.add(first, keyOf(first, ''), held(10));
  first.exchange.body.write('{"seed":2}');
  assert.equal(known.find(first), undefined);
  assert.notEqual(known.find(request('{"seed":1}')), undefined);
});

test('known requests are bounded in bytes, and a large one is not kept', () => {
  const known = new KnownRequests();
  const large = request('{"seed":0}');
  known.add(large, keyOf(large, ''), held(200_000));
  assert.equal(known.find(large), undefined);
  for (let seed = 1; seed <= 1_000; seed += 1) {
    const each = request(`{"seed":${seed}}`);
    known.add(each, keyOf(each, ''), held(100_000));
    assert.notEqual(known.find(each), undefined);
  }
  const kept = Array.from({ length: 1_000 }, (_, seed) => known.find(request(`{"seed":${seed + 1}}`)));
  assert.ok(kept.filter(Boolean).length <= 84, String(kept.filter(Boolean).length));
});
