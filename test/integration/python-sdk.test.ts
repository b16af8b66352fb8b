import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KEY, startGateway } from '../support/gateway.ts';

/** A Python that has the package `openai`; .ci/run makes one. */
const python = process.env['SLUICE_PYTHON'];
const skip = python === undefined ? 'SLUICE_PYTHON names no Python that has the package `openai`' : false;
const script = fileURLToPath(new URL('../support/openai-sdk.py', import.meta.url));
const langChain = fileURLToPath(new URL('../support/langchain.py', import.meta.url));
const hasLangChain = python !== undefined && spawnSync(python, ['-c', 'import langchain_openai']).status === 0;

test('the Python SDK of OpenAI drives every endpoint', { skip }, async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway[Symbol.asyncDispose]());
  const { stdout } = await promisify(execFile)(python!, ['-W', 'ignore', script, `${gateway.url}/v1`, KEY]);
  const driven = stdout.trim().split('\n');
  assert.deepEqual(driven, ['chats', 'images', 'speech', 'transcripts', 'vectors', 'files_and_batches']);
});

test('LangChain for Python embeds', {
  skip: hasLangChain ? false : `it is not there: ${skip || python}`,
}, async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway[Symbol.asyncDispose]());
  const { stdout } = await promisify(execFile)(python!, ['-W', 'ignore', langChain, `${gateway.url}/v1`, KEY]);
  assert.equal(stdout.trim(), 'embedded');
});
