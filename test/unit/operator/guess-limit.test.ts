import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { it } from 'node:test';
import { GuessLimit } from '../../../src/operator/sessions/guess-limit.ts';
import { RemoteSides } from '../../../src/operator/sessions/remote-sides.ts';

const asked = (remoteAddress: string, forwardedFor?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwardedFor } }) as unknown as IncomingMessage;

it('whoever guesses behind a proxy that is trusted is told apart from others behind it', () => {
  const limit = new GuessLimit(new RemoteSides(['10.0.0.0/8']), () => 0);
  for (let guess = 0; guess < 10; guess += 1) assert.ok(limit.take(asked('10.0.0.1', '192.0.2.1')));
  assert.equal(limit.take(asked('10.0.0.1', '192.0.2.1')), undefined);
  assert.equal(
    limit.take(asked('10.0.0.1', 'anything, 192.0.2.1')),
    undefined,
    'what the client wrote before it counts not',
  );
  assert.ok(limit.take(asked('10.0.0.1', '192.0.2.77')));
});

it('a header of a peer that is no proxy of ours gives nobody further guesses', () => {
  const limit = new GuessLimit(new RemoteSides([]), () => 0);
  for (let guess = 0; guess < 10; guess += 1) limit.take(asked('192.0.2.1', `198.51.100.${guess}`));
  assert.equal(limit.take(asked('192.0.2.1', '198.51.100.200')), undefined);
});

it('the address that is told is that of the client, and never what it wrote', () => {
  const sides = new RemoteSides(['10.0.0.1']);
  assert.equal(sides.textOf(asked('::ffff:10.0.0.1', '203.0.113.9:4711')), '203.0.113.9');
  assert.equal(sides.textOf(asked('10.0.0.1', '<script>')), '10.0.0.1');
  assert.equal(sides.textOf(asked('192.0.2.1', '203.0.113.9')), '192.0.2.1');
});
