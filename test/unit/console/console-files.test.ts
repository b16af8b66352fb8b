import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { ConsoleFiles } from '../../../src/console/console-files.ts';

const MAX_BYTES = 150 * 1024;
const PAGES = new URL('../../../src/console/pages/', import.meta.url);

const files = new ConsoleFiles(fileURLToPath(PAGES));
const ask = (path: string, acceptEncoding?: string, ifNoneMatch?: string) =>
  files.answer({ path, acceptEncoding, ifNoneMatch });

it('all that a browser loads of the console is at most 150 KB, by gzip as by brotli', async () => {
  const { brotli, gzip } = await files.sizes();
  assert.ok(brotli <= MAX_BYTES && gzip <= MAX_BYTES, `${brotli} bytes by brotli, ${gzip} by gzip`);
});

it('every file of the console is sent with a policy that lets no inline script and no other host in', async () => {
  for (const path of ['/console/', '/console/app.js', '/console/lib/uplot.js', '/console']) {
    const policy = (await ask(path))?.headers['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /require-trusted-types-for 'script'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  }
});

it('a file of the console is the same compressed or not, and is not sent twice to a browser that has it', async () => {
  const plain = await ask('/console/core.js');
  const brotli = await ask('/console/core.js', 'gzip, deflate, br');
  const gzip = await ask('/console/core.js', 'gzip');
  assert.equal(brotli?.headers['content-encoding'], 'br');
  assert.equal(brotliDecompressSync(Buffer.from(brotli.body)).toString(), plain?.body.toString());
  assert.equal(gunzipSync(Buffer.from(gzip?.body ?? '')).toString(), plain?.body.toString());
  const again = await ask('/console/core.js', 'br', plain?.headers['etag']);
  assert.deepEqual([again?.status, again?.body], [304, '']);
});

it('a path that climbs out of the pages is no file of the console', async () => {
  const climbing = [
    '../console-files.ts',
    '..%2fconsole-files.ts',
    'lib/../../x',
    '.',
    'lib/',
    'constructor',
    '__proto__',
  ];
  for (const name of climbing) assert.equal(await ask(`/console/${name}`), undefined, name);
});

it('modules of packages import addresses of this port alone', async () => {
  for (const name of ['preact', 'hooks', 'htm', 'uplot']) {
    const text = (await ask(`/console/lib/${name}.js`))?.body.toString() ?? '';
    for (const [, from] of text.matchAll(/\bfrom\s*["']([^"']+)["']/g)) assert.match(from!, /^\.\//, name);
  }
});

it('no page of the console writes markup from text, and none has a style or a script of its own in its markup', () => {
  for (const name of readdirSync(PAGES)) {
    const text = readFileSync(new URL(name, PAGES), 'utf8');
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacent|document\.write|dangerouslySet|\beval\b|new Function/,
      name,
    );
    if (name.endsWith('.html'))
      assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:/, name);
  }
});
