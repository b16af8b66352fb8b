import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type SessionOwner, Sessions, type Standing } from '../../../src/operator/sessions/sessions.ts';

const MINUTE_MS = 60_000;
const SESSION_MS = 8 * 60 * MINUTE_MS;
const IDLE_MS = 30 * MINUTE_MS;
const OWNER: SessionOwner = { by: 'admin-key' };
const STANDING: Standing = { role: 'admin', data: 'all', viewer: undefined, subject: 'admin-key', readOnly: false };

function sessionsAt(standingOf: (owner: SessionOwner) => Standing | undefined = () => STANDING) {
  const clock = { now: 1_000_000 };
  const settings = { sessionMs: SESSION_MS, idleMs: IDLE_MS };
  return { clock, settings, sessions: new Sessions({ standingOf, settings: () => settings, now: () => clock.now }) };
}

const personOf = (subject: string, endsAtMs = Number.POSITIVE_INFINITY): SessionOwner => ({
  by: 'issued',
  principal: { subject, keyId: 'key_1', teams: [], metadata: {}, models: undefined } as never,
  endsAtMs,
});

it('a session that nothing is asked with ends when its idle time is over, and each request begins that time anew', () => {
  const { clock, sessions } = sessionsAt();
  const { id } = sessions.open(OWNER)!;
  for (let asked = 0; asked < 5; asked += 1) {
    clock.now += IDLE_MS - 1;
    assert.ok(sessions.use(id));
  }
  clock.now += IDLE_MS;
  assert.equal(sessions.use(id), undefined);
  clock.now -= IDLE_MS;
  assert.equal(sessions.use(id), undefined, 'an end is for good');
});

it('a session ends when its life is over, however much is asked with it', () => {
  const { clock, sessions } = sessionsAt();
  const { id, session } = sessions.open(OWNER)!;
  assert.equal(session.endsAtMs, clock.now + SESSION_MS);
  const end = clock.now + SESSION_MS;
  while (clock.now + MINUTE_MS < end) {
    clock.now += MINUTE_MS;
    assert.ok(sessions.use(id));
  }
  clock.now = end;
  assert.equal(sessions.use(id), undefined);
});

it('a session ends with the key it was signed in with, if that is sooner', () => {
  const { clock, sessions } = sessionsAt();
  const { id } = sessions.open(personOf('user:ann@example.com', clock.now + MINUTE_MS))!;
  clock.now += MINUTE_MS - 1;
  assert.ok(sessions.use(id));
  clock.now += 1;
  assert.equal(sessions.use(id), undefined);
});

it('a session is not idle while an answer of it goes on, and that answer ends with its life', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { clock, sessions } = sessionsAt();
  const { id, session } = sessions.open(OWNER)!;
  let ended = 0;
  session.streams.add(() => {
    ended += 1;
  });
  clock.now += 2 * IDLE_MS;
  t.mock.timers.tick(5_000);
  assert.equal(ended, 0);
  assert.ok(sessions.use(id));
  clock.now += SESSION_MS;
  t.mock.timers.tick(5_000);
  assert.equal(ended, 1);
  assert.equal(sessions.use(id), undefined);
});

it('a life or an idle time that a reload makes shorter holds for idle sessions from then on', () => {
  const { clock, sessions, settings } = sessionsAt();
  const { id } = sessions.open(OWNER)!;
  settings.idleMs = MINUTE_MS;
  clock.now += MINUTE_MS;
  sessions.judgeAll();
  settings.idleMs = IDLE_MS;
  assert.equal(sessions.use(id), undefined);
});

it('nobody holds more than sixteen sessions, and whoever opens many ends their own oldest and nobody else’s', () => {
  const { sessions } = sessionsAt();
  const other = sessions.open(personOf('user:bob@example.com'))!;
  const own = Array.from({ length: 17 }, () => sessions.open(personOf('user:ann@example.com'))!);
  assert.equal(sessions.use(own[0]!.id), undefined);
  assert.ok(sessions.use(own[1]!.id));
  assert.ok(sessions.use(other.id));
});
