import assert from 'node:assert/strict';
import { it } from 'node:test';
import { z } from 'zod';
import { type Journey, Journeys } from '../../../src/sign-in/journeys.ts';

const journeyOf = (state: string, untilMs = 1_000): Journey => ({
  state,
  verifier: 'v',
  nonce: 'n',
  redirectUri: 'https://sluice.example.com/console/sign-in/oidc/callback',
  provider: 'company',
  untilMs,
});

const schema: z.ZodType<Journey> = z.strictObject({
  state: z.string(),
  verifier: z.string(),
  nonce: z.string(),
  redirectUri: z.string(),
  provider: z.string(),
  untilMs: z.number(),
});

const journeysAt = (now: () => number, key = 1): Journeys<Journey> =>
  new Journeys({ key: new Uint8Array(32).fill(key), schema, now });

it('a journey is finished by the browser that began it, once and in time', () => {
  const clock = { now: 0 };
  const journeys = journeysAt(() => clock.now);
  const cookie = journeys.sealed(journeyOf('one'));
  assert.equal(journeys.finished(undefined, 'one'), undefined);
  assert.equal(journeys.finished(cookie, 'other'), undefined);
  assert.deepEqual(journeys.finished(cookie, 'one'), journeyOf('one'));
  assert.equal(journeys.finished(cookie, 'one'), undefined);
  const late = journeys.sealed(journeyOf('late'));
  clock.now = 1_000;
  assert.equal(journeys.finished(late, 'late'), undefined);
});

it('a cookie that was changed, made up, or sealed with another key is none, and shows nothing of its journey', () => {
  const journeys = journeysAt(() => 0);
  const cookie = journeys.sealed(journeyOf('secret state')) ?? '';
  assert.doesNotMatch(Buffer.from(cookie, 'base64url').toString('latin1'), /secret state|company/);
  const changed = Buffer.from(cookie, 'base64url');
  changed[20]! ^= 1;
  for (const forged of [
    changed.toString('base64url'),
    '',
    'x',
    'A'.repeat(10_000),
    journeysAt(() => 0, 2).sealed(journeyOf('secret state')),
  ])
    assert.equal(journeys.finished(forged, 'secret state'), undefined);
  assert.ok(journeys.finished(cookie, 'secret state'));
});

it('strangers who begin journeys crowd out nobody', () => {
  const journeys = journeysAt(() => 0);
  const cookie = journeys.sealed(journeyOf('mine'));
  for (let index = 0; index < 20_000; index += 1) journeys.sealed(journeyOf(`stranger ${index}`));
  assert.ok(journeys.finished(cookie, 'mine'));
});

it('ends that are remembered are bounded, and the newest are those that stay', () => {
  const journeys = journeysAt(() => 0);
  const cookies = Array.from({ length: 10_002 }, (_, index) => journeys.sealed(journeyOf(`state ${index}`)));
  for (const [index, cookie] of cookies.entries()) assert.ok(journeys.finished(cookie, `state ${index}`));
  assert.equal(journeys.finished(cookies.at(-1), 'state 10001'), undefined);
});

it('a journey that no cookie can hold is not begun', () => {
  const journeys = journeysAt(() => 0);
  assert.ok(journeys.sealed({ ...journeyOf('short'), redirectUri: 'x'.repeat(2_000) }));
  assert.equal(journeys.sealed({ ...journeyOf('long'), redirectUri: 'x'.repeat(4_000) }), undefined);
});

it('a gateway that shares the key takes the journeys of another', () => {
  const cookie = journeysAt(() => 0).sealed(journeyOf('mine'));
  assert.deepEqual(journeysAt(() => 0).finished(cookie, 'mine'), journeyOf('mine'));
});
