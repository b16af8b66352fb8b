import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../../../src/config/configuration.ts';
import { AccountTokens } from '../../../src/main-thread/account-tokens.ts';
import type { RelayThreadBirth } from '../../../src/threads/messages.ts';
import { RelayThreads } from '../../../src/threads/relay-threads.ts';

const silent = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_: object, text: string) => assert.fail(text),
};
const THREADS = 4;

test('every thread signs with the newest account token, one that is born later too', async () => {
  const given: { resolve(token: { values: { token: string }; expiresAtMs: number }): void }[] = [];
  const said: string[] = [];
  let onSaid = (): void => {};
  let onAsked = (): void => {};
  const fetch = () =>
    new Promise<{ values: { token: string }; expiresAtMs: number }>((resolve) => {
      given.push({ resolve });
      onAsked();
    });
  const allSaid = async (word: string): Promise<void> => {
    const expected = Array.from({ length: THREADS }, (_, thread) => `${thread}: ${word}`);
    while (!expected.every((line) => said.includes(line))) await new Promise<void>((resolve) => (onSaid = resolve));
  };
  const tokens = new AccountTokens({
    http: () => assert.fail(),
    sources: () => [{ id: 'main 1', account: 'main', fetch }],
    tell: (all) => threads.broadcast({ type: 'tokens', tokens: all }),
    log: silent,
  });
  const entry = new URL('./signing-thread.ts', import.meta.url);
  const begin = async (first: number, count: number): Promise<RelayThreads> => {
    const relayThreads = new RelayThreads({ entry, count });
    relayThreads.load();
    await relayThreads.start({
      log: silent,
      data: async (thread) => ({ thread: first + thread, tokens: tokens.tokens() }) as unknown as RelayThreadBirth,
      onMessage: (message) => {
        if (message.type !== 'log') return;
        said.push(message.line);
        onSaid();
      },
      onDied: () => {},
    });
    return relayThreads;
  };
  tokens.reconfigure({} as Configuration);
  const threads = await begin(0, THREADS);
  await allSaid('account_token_missing');

  const soon = Date.now() + 3_000;
  given[0]!.resolve({ values: { token: 'first' }, expiresAtMs: soon });
  await allSaid('x-token first');
  // Four fifths of its life later the next one is asked for, by the main thread alone.
  while (given.length < 2) await new Promise<void>((resolve) => (onAsked = resolve));
  assert.ok(Date.now() < soon, 'ahead of its end');
  given[1]!.resolve({ values: { token: 'second' }, expiresAtMs: Date.now() + 600_000 });
  await allSaid('x-token second');
  assert.equal(given.length, 2);

  const born = await begin(9, 1);
  assert.deepEqual(said.at(-1), '9: x-token second');
  tokens.close();
  await Promise.all([threads.drain(0), born.drain(0)]);
});
