import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEY, startGateway } from '../support/gateway.ts';

/** A Python that has the package `openai`; .ci/run makes one. */
const python = process.env['SLUICE_PYTHON'];
const skip = python === undefined ? 'SLUICE_PYTHON names no Python that has the package `openai`' : false;
const script = fileURLToPath(new URL('../support/openai-sdk.py', import.meta.url));

test('the Python SDK of OpenAI drives every endpoint', { skip }, async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway[Symbol.asyncDispose]());
  const { stdout } = await promisify(execFile)(python!, ['-W', 'ignore', script, `${gateway.url}/v1`, KEY]);
  const driven = stdout.trim().split('\n');
  assert.deepEqual(driven, ['chats', 'images', 'speech', 'transcripts', 'vectors', 'files_and_batches']);
});
