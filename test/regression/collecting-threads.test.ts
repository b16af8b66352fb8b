/**
 * Symptom: one start in ten ended a second after it was ready, with `ReferenceError: gc is not defined`.
 * Root cause: each thread set V8's flag for `gc`, asked for the function and unset the flag. The flag is the process's, so
 * one thread unset it while another was between the two steps.
 * Why the fix is right: the flag is set and never unset, and a thread that gets no function does without a collection.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('collecting-threads.ts', import.meta.url));

test('threads that give memory back at the same moment do not end the process', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, [PROGRAM], { timeout: 60_000 });
  assert.doesNotMatch(stderr, /gc is not defined/);
});
