import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** In a process of its own, since the script takes over how code is loaded. Node's transformer drops all comments. */
const COMPARE = `
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { withoutComments } from './scripts/strip-types.js';
process.removeAllListeners('warning');
const program = (code) => stripTypeScriptTypes(code, { mode: 'transform' });
let files = 0;
let before = 0;
let after = 0;
const differ = [];
for (const name of readdirSync('src', { recursive: true })) {
  if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
  const stripped = stripTypeScriptTypes(readFileSync('src/' + name, 'utf8'));
  const less = withoutComments(stripped);
  files += 1;
  before += stripped.length;
  after += less.length;
  if (less.split('\\n').length !== stripped.split('\\n').length || program(less) !== program(stripped)) differ.push(name);
}
console.log(JSON.stringify({ files, before, after, differ }));
process.exit();
`;

test('a file without its comments is the same program on the same lines', async () => {
  const args = ['--no-warnings', '--input-type=module', '-e', COMPARE];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: 60_000 });
  const { files, before, after, differ } = JSON.parse(stdout);
  assert.deepEqual(differ, []);
  assert.ok(files > 500 && after < 0.8 * before, `${files} files, ${before} characters, ${after} without comments`);
});
