import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dialects } from '../../../src/plugs.ts';
import { batchEndpoints } from '../../../src/relay-thread/batch-endpoints.ts';

const DIALECTS = dialects();

const page = readFileSync(fileURLToPath(new URL('../../../docs/api.md', import.meta.url)), 'utf8');

test('a batch may ask whatever is asked and answered in JSON, nothing else, and the page names it', () => {
  const paths = [...batchEndpoints(DIALECTS).keys()];
  for (const path of ['/chat/completions', '/embeddings', '/rerank', '/messages', '/responses'])
    assert.ok(paths.includes(path), path);
  for (const path of paths) {
    assert.doesNotMatch(path, /audio|edits|variations|\{/);
    assert.ok(page.includes(`\`/v1${path}\``) || path === '/v2/rerank', path);
  }
});
