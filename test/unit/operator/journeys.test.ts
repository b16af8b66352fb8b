import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Journey, Journeys } from '../../../src/operator/sessions/journeys.ts';

const journeyOf = (state: string, untilMs = 1_000): Journey => ({
  state,
  verifier: 'v',
  nonce: 'n',
  redirectUri: 'https://sluice.example.com/console/sign-in/oidc/callback',
  provider: 'company',
  untilMs,
});

it('a journey is finished by the browser that began it, once and in time', () => {
  const clock = { now: 0 };
  const journeys = new Journeys(() => clock.now);
  const cookie = journeys.sealed(journeyOf('one'));
  assert.equal(journeys.finished(undefined, 'one'), undefined);
  assert.equal(journeys.finished(cookie, 'other'), undefined);
  assert.deepEqual(journeys.finished(cookie, 'one'), journeyOf('one'));
  assert.equal(journeys.finished(cookie, 'one'), undefined);
  const late = journeys.sealed(journeyOf('late'));
  clock.now = 1_000;
  assert.equal(journeys.finished(late, 'late'), undefined);
});

it('a cookie that was changed, made up, or sealed by another process is none, and shows nothing of its journey', () => {
  const journeys = new Journeys(() => 0);
  const cookie = journeys.sealed(journeyOf('secret state'));
  assert.doesNotMatch(Buffer.from(cookie, 'base64url').toString('latin1'), /secret state|company/);
  const changed = Buffer.from(cookie, 'base64url');
  changed[20]! ^= 1;
  for (const forged of [
    changed.toString('base64url'),
    '',
    'x',
    'A'.repeat(10_000),
    new Journeys(() => 0).sealed(journeyOf('secret state')),
  ])
    assert.equal(journeys.finished(forged, 'secret state'), undefined);
  assert.ok(journeys.finished(cookie, 'secret state'));
});

it('strangers who begin journeys crowd out nobody', () => {
  const journeys = new Journeys(() => 0);
  const cookie = journeys.sealed(journeyOf('mine'));
  for (let index = 0; index < 20_000; index += 1) journeys.sealed(journeyOf(`stranger ${index}`));
  assert.ok(journeys.finished(cookie, 'mine'));
});

it('ends that are remembered are bounded, and the newest are those that stay', () => {
  const journeys = new Journeys(() => 0);
  const cookies = Array.from({ length: 10_002 }, (_, index) => journeys.sealed(journeyOf(`state ${index}`)));
  for (const [index, cookie] of cookies.entries()) assert.ok(journeys.finished(cookie, `state ${index}`));
  assert.equal(journeys.finished(cookies.at(-1), 'state 10001'), undefined);
});
