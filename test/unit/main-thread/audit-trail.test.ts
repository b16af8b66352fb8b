import assert from 'node:assert/strict';
import { it } from 'node:test';
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

it('somebody who guesses fills no audit log: some refusals are told one by one, and of the others how many', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const written: DatedAuditEntry[] = [];
  const trail = new AuditTrail({
    write: async (entries) => {
      written.push(...entries);
    },
    log: silent,
  });
  for (let guess = 0; guess < 1_000; guess += 1) {
    trail.refused(refusal);
    await Promise.resolve();
  }
  t.mock.timers.tick(60_000);
  await trail.close();
  const told = written.map(({ entry }) => [
    entry.actor,
    entry.outcome,
    entry.detail['further'] ?? entry.detail['address'],
  ]);
  const singly = told.filter(([, outcome]) => outcome === 'invalid_api_key');
  assert.equal(singly.length, 30);
  assert.deepEqual(singly[0], ['unknown', 'invalid_api_key', '192.0.2.1']);
  assert.deepEqual(told.at(-1), ['unknown', 'refused_untold', '970']);
  assert.equal(told.length, 31);
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
