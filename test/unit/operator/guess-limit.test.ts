import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { it } from 'node:test';
import { GuessLimit } from '../../../src/operator/sessions/guess-limit.ts';
import { RemoteSides } from '../../../src/operator/sessions/remote-sides.ts';

const asked = (remoteAddress: string, forwardedFor?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwardedFor } }) as unknown as IncomingMessage;

it('a guesser behind a trusted proxy is told apart from others behind it', () => {
  const limit = new GuessLimit(new RemoteSides(['10.0.0.0/8']), () => 0);
  for (let guess = 0; guess < 10; guess += 1) assert.ok(limit.failed(asked('10.0.0.1', '192.0.2.1')));
  assert.equal(limit.failed(asked('10.0.0.1', '192.0.2.1')), false);
  assert.equal(
    limit.failed(asked('10.0.0.1', 'anything, 192.0.2.1')),
    false,
    'what the client wrote before it counts not',
  );
  assert.ok(limit.failed(asked('10.0.0.1', '192.0.2.77')));
});

it('a header of a peer that is no proxy of ours gives nobody further guesses', () => {
  const limit = new GuessLimit(new RemoteSides([]), () => 0);
  for (let guess = 0; guess < 10; guess += 1) limit.failed(asked('192.0.2.1', `198.51.100.${guess}`));
  assert.equal(limit.failed(asked('192.0.2.1', '198.51.100.200')), false);
});

it('failures from many addresses slow each other, and take no address its first try', () => {
  const limit = new GuessLimit(new RemoteSides([]), () => 0);
  for (let guess = 0; guess < 100; guess += 1) limit.failed(asked(`198.51.${guess}.1`));
  assert.equal(limit.failed(asked('203.0.113.1')), false);
  const giveBack = limit.take(asked('203.0.113.2'));
  assert.ok(giveBack);
  assert.equal(limit.take(asked('203.0.113.2')), undefined, 'a second one beside it waits');
  giveBack();
  assert.ok(limit.take(asked('203.0.113.2')), 'what went well takes nothing');
});

it('the address that is told is that of the client, and never what it wrote', () => {
  const sides = new RemoteSides(['10.0.0.1']);
  assert.equal(sides.textOf(asked('::ffff:10.0.0.1', '203.0.113.9:4711')), '203.0.113.9');
  assert.equal(sides.textOf(asked('10.0.0.1', '<script>')), '10.0.0.1');
  assert.equal(sides.textOf(asked('192.0.2.1', '203.0.113.9')), '192.0.2.1');
});
