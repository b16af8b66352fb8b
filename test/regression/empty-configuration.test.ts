/*
 * Symptom: a configuration folder that is empty for a moment, or a file that is truncated before it is written, took all keys and
 * accounts away: every client got 401.
 * Root cause: no manifest at all was a good configuration with nothing in it, on reload too.
 * Why the fix is right: nothing is hardly ever meant; a start may still be empty, a reload that would take everything
 * is refused and told.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';

let gateway: RunningGateway;
before(async () => {
  gateway = await startGateway();
});
after(async () => gateway?.[Symbol.asyncDispose]());

test('a reload that finds no manifest at all leaves the old configuration in force', async () => {
  await writeFile(gateway.configFile, '');
  gateway.process.kill('SIGHUP');
  // There is no event for "nothing was changed".
  await wait(800);
  const answer = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(answer.status, 200);
});
