import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { AuditTrail } from '../../../src/main-thread/audit-trail.ts';
import type { DatedAuditEntry } from '../../../src/store/audit.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const refusal = {
  actor: undefined,
  by: 'sign-in',
  action: 'POST',
  path: '/console/session',
  error: new GatewayError('invalid_api_key'),
  address: '192.0.2.1',
} as const;

/** What a trail writes; `minute` ends one. */
function recorded(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const written: DatedAuditEntry[] = [];
  const trail = new AuditTrail({
    write: async (entries) => {
      written.push(...entries);
    },
    log: silent,
  });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  const minute = async () => {
    t.mock.timers.tick(60_000);
    await settled();
  };
  const told = () => written.map(({ entry: { outcome, detail } }) => [outcome, detail['address'], detail['further']]);
  return { trail, minute, told, settled };
}

it('somebody who guesses stands in the audit log at once, and then once a minute with how often they tried', async (t) => {
  const { trail, minute, told, settled } = recorded(t);
  for (let guess = 0; guess < 1_000; guess += 1) trail.refused(refusal);
  await settled();
  assert.deepEqual(told(), [['invalid_api_key', '192.0.2.1', undefined]]);
  await minute();
  for (let guess = 0; guess < 500; guess += 1) trail.refused(refusal);
  await minute();
  // A minute in which nothing came is told of by nothing.
  await minute();
  assert.deepEqual(told().slice(1), [
    ['invalid_api_key', '192.0.2.1', '999'],
    ['invalid_api_key', '192.0.2.1', '500'],
  ]);
  trail.refused(refusal);
  await settled();
  assert.deepEqual(told().slice(3), [['invalid_api_key', '192.0.2.1', undefined]]);
  await trail.close();
});

it('somebody who guesses hides no other: each address is told of by itself', async (t) => {
  const { trail, told } = recorded(t);
  for (let guess = 0; guess < 1_000; guess += 1) trail.refused(refusal);
  trail.refused({ ...refusal, address: '198.51.100.9' });
  trail.refused({ ...refusal, actor: 'user:olga@example.com', error: new GatewayError('role_needed') });
  await trail.close();
  assert.deepEqual(told(), [
    ['invalid_api_key', '192.0.2.1', undefined],
    ['invalid_api_key', '198.51.100.9', undefined],
    ['role_needed', '192.0.2.1', undefined],
    ['invalid_api_key', '192.0.2.1', '999'],
  ]);
});

it('guesses from any number of addresses fill no audit log, and are told of by their number', async (t) => {
  const { trail, minute, told } = recorded(t);
  for (let minutes = 0; minutes < 100; minutes += 1) {
    for (let guess = 0; guess < 1_000; guess += 1)
      trail.refused({ ...refusal, address: `2001:db8::${minutes}:${guess}` });
    await minute();
  }
  await trail.close();
  const counted = told().reduce((sum, [, address, further]) => sum + Number(further ?? 0) + (address ? 1 : 0), 0);
  assert.equal(counted, 100_000);
  assert.ok(told().length <= 60 + 100 + 1, String(told().length));
});

it('refusals of strangers leave room for changes while the database is away', async () => {
  let isAway = true;
  const written: DatedAuditEntry[] = [];
  const trail = new AuditTrail({
    write: async (entries) => {
      if (isAway) throw new Error('away');
      written.push(...entries);
    },
    log: silent,
  });
  for (let guess = 0; guess < 1_000; guess += 1) trail.refused(refusal);
  assert.equal(trail.isFull, false);
  isAway = false;
  const change = {
    actor: 'ada',
    by: 'bearer',
    role: 'admin',
    action: 'POST',
    path: '/admin/keys',
    status: 201,
  } as const;
  await trail.record({ ...change, ids: ['key_1'], about: {} });
  await trail.close();
  assert.ok(written.some(({ entry }) => entry.ids.includes('key_1')));
});
