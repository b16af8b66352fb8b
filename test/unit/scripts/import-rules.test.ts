import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, test } from 'node:test';
import { checkImports, type ImportFault } from '../../../scripts/import-rules.ts';

const planted: string[] = [];
afterEach(() => {
  for (const folder of planted.splice(0)) rmSync(folder, { recursive: true });
});

/** A project of these files; each says what it imports. */
function faultsOf(files: Record<string, string>): ImportFault[] {
  const root = mkdtempSync(join(tmpdir(), 'sluice-imports-'));
  planted.push(root);
  for (const folder of ['src', 'load', 'bench', 'scripts']) mkdirSync(join(root, folder));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return checkImports(root);
}

function caught(files: Record<string, string>, file: string, reason: RegExp): void {
  const faults = faultsOf(files);
  const found = faults.filter((fault) => fault.file === file && reason.test(fault.reason));
  assert.equal(found.length, 1, `${JSON.stringify(files)}: ${JSON.stringify(faults)}`);
}

function clean(files: Record<string, string>): void {
  assert.deepEqual(faultsOf(files), [], JSON.stringify(files));
}

test('the project keeps its own import rules', () => {
  assert.deepEqual(checkImports(resolve(import.meta.dirname, '../../..')), []);
});

test('imports that point down are fine', () => {
  clean({
    'src/core/errors.ts': '',
    'src/codec/sse.ts': "import { a } from '../core/errors.ts';",
    'src/relay/relay.ts': "import { b } from '../codec/sse.ts';\nimport type { a } from '../core/errors.ts';",
    'src/gateway.ts': "import { c } from './relay/relay.ts';",
  });
});

test('an import that points up is caught, a type too', () => {
  const relay = { 'src/relay/relay.ts': '' };
  for (const line of [
    "import { a } from '../relay/relay.ts';",
    "import type { A } from '../relay/relay.ts';",
    "import { type A, b } from '../relay/relay.ts';",
    "import '../relay/relay.ts';",
    "import * as relay from '../relay/relay.ts';",
    "export { a } from '../relay/relay.ts';",
    "export * from '../relay/relay.ts';",
    "export type { A } from '../relay/relay.ts';",
    "import {\n  a,\n  b,\n} from '../relay/relay.ts';",
    'import { a } from "../relay/relay.ts";',
    "const relay = await import('../relay/relay.ts');",
    "type A = import('../relay/relay.ts').A;",
  ]) {
    caught({ ...relay, 'src/core/a.ts': line }, 'src/core/a.ts', /core \(depth 0\) may not import relay \(depth 5\)/);
  }
});

test('folders of the same depth do not import each other', () => {
  caught(
    { 'src/edge/a.ts': "import '../upstream/b.ts';", 'src/upstream/b.ts': '' },
    'src/edge/a.ts',
    /edge \(depth 3\) may not import upstream \(depth 3\)/,
  );
});

test('nothing below imports the composition root, and a folder without a depth counts as the top', () => {
  caught(
    { 'src/relay/a.ts': "import '../gateway.ts';", 'src/gateway.ts': '' },
    'src/relay/a.ts',
    /may not import gateway/,
  );
  caught({ 'src/core/a.ts': "import '../novel/b.ts';", 'src/novel/b.ts': '' }, 'src/core/a.ts', /may not import novel/);
});

test('one vendor does not import another, whichever of its files', () => {
  for (const file of ['index.ts', 'to-usage.ts']) {
    caught(
      { 'src/providers/openai/index.ts': `import '../ollama/${file}';`, [`src/providers/ollama/${file}`]: '' },
      'src/providers/openai/index.ts',
      /only plugs\.ts may import providers\/ollama/,
    );
  }
  caught(
    { 'src/dialects/a/index.ts': "import '../b/c.ts';", 'src/dialects/b/c.ts': '' },
    'src/dialects/a/index.ts',
    /only plugs\.ts may import dialects\/b/,
  );
});

test('no stage names a vendor or a dialect, except the one file that lists them', () => {
  const vendor = { 'src/providers/openai/index.ts': '', 'src/dialects/openai-chat/index.ts': '' };
  for (const file of ['src/relay/a.ts', 'src/gateway.ts', 'src/pipeline/a.ts', 'src/main.ts', 'src/operator/a.ts']) {
    const up = file.split('/').length === 3 ? '..' : '.';
    caught({ ...vendor, [file]: `import '${up}/providers/openai/index.ts';` }, file, /only plugs\.ts may import/);
    caught({ ...vendor, [file]: `import '${up}/dialects/openai-chat/index.ts';` }, file, /only plugs\.ts may import/);
  }
  clean({
    ...vendor,
    'src/plugs.ts': "import './providers/openai/index.ts';\nimport './dialects/openai-chat/index.ts';",
    'src/providers/provider.ts': '',
    'src/relay/a.ts': "import '../providers/provider.ts';",
  });
});

test('every provider may import the shared base, and a dialect may not', () => {
  const base = { 'src/providers/openai-compatible/wire.ts': '' };
  clean({ ...base, 'src/providers/ollama/index.ts': "import '../openai-compatible/wire.ts';" });
  caught(
    { ...base, 'src/dialects/a/index.ts': "import '../../providers/openai-compatible/wire.ts';" },
    'src/dialects/a/index.ts',
    /providers\/openai-compatible/,
  );
});

test('the shared base does not import those who use it', () => {
  caught(
    { 'src/providers/openai-compatible/a.ts': "import '../openai/b.ts';", 'src/providers/openai/b.ts': '' },
    'src/providers/openai-compatible/a.ts',
    /only plugs\.ts may import providers\/openai/,
  );
});

test('a vendor’s own files do not import its plug', () => {
  caught(
    { 'src/providers/a/index.ts': '', 'src/providers/a/to-usage.ts': "import './index.ts';" },
    'src/providers/a/to-usage.ts',
    /do not import its plug/,
  );
});

test('each third party has one door', () => {
  for (const [file, name] of [
    ['src/relay/a.ts', 'undici'],
    ['src/relay/a.ts', 'undici/types/pool.js'],
    ['src/upstream/a.ts', 'uWebSockets.js'],
    ['src/gateway.ts', 'pino'],
    ['src/usage/a.ts', 'piscina'],
    ['src/policy/a.ts', 'jose'],
    ['src/relay/a.ts', 'node:sqlite'],
    ['src/core/a.ts', '@pydantic/genai-prices'],
    ['src/core/a.ts', '@pydantic/genai-prices/data'],
    ['src/telemetry/a.ts', 'kysely'],
  ] as const) {
    caught({ [file]: `import { x } from '${name}';` }, file, /has one door: src\//);
  }
  clean({
    'src/upstream/a.ts': "import { Pool } from 'undici';",
    'src/edge/a.ts': "import { App } from 'uWebSockets.js';",
    'bench/a.ts': "import { Pool } from 'undici';",
    'load/a.ts': "import { Pool } from 'undici';",
  });
});

test('a third party is caught where it is imported when it is needed only', () => {
  caught({ 'src/relay/a.ts': "const { Pool } = await import('undici');" }, 'src/relay/a.ts', /has one door/);
});

test('load is a black box: it imports nothing of ours', () => {
  const files = { 'src/core/errors.ts': '', 'bench/b.ts': '', 'scripts/s.ts': '' };
  for (const target of ['../src/core/errors.ts', '../bench/b.ts', '../scripts/s.ts']) {
    caught({ ...files, 'load/a.ts': `import '${target}';` }, 'load/a.ts', /black box/);
  }
  caught({ ...files, 'load/driver/a.ts': "import '../../src/core/errors.ts';" }, 'load/driver/a.ts', /black box/);
  clean({ 'load/a.ts': "import './driver/b.ts';", 'load/driver/b.ts': '' });
});

test('src imports nothing outside src', () => {
  for (const target of ['../../load/a.ts', '../../bench/a.ts', '../../test/a.ts', '../../scripts/a.ts']) {
    caught({ 'src/core/a.ts': `import '${target}';` }, 'src/core/a.ts', /nothing outside src/);
  }
});

test('an import circle is caught, of two files or of many, through types too', () => {
  for (const length of [2, 3, 7]) {
    const files: Record<string, string> = {};
    for (let i = 0; i < length; i += 1)
      files[`src/core/f${i}.ts`] = `import type { X } from './f${(i + 1) % length}.ts';`;
    const faults = faultsOf(files);
    assert.equal(faults.length, 1);
    assert.match(faults[0]!.reason, /^circle: /);
    for (const file of Object.keys(files)) assert.ok(faults[0]!.reason.includes(file));
  }
});

test('two import circles are two faults, and files beside them are none', () => {
  const faults = faultsOf({
    'src/core/a.ts': "import './b.ts';",
    'src/core/b.ts': "import './a.ts';",
    'src/core/c.ts': "import './d.ts';\nimport './a.ts';",
    'src/core/d.ts': "import './c.ts';",
    'src/core/e.ts': "import './a.ts';\nimport './c.ts';",
  });
  assert.equal(faults.length, 2);
  assert.ok(faults.every(({ reason }) => !reason.includes('e.ts')));
});

test('a long import chain is no circle, and does not exhaust the stack', () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 500; i += 1) files[`src/core/f${i}.ts`] = `import './f${i + 1}.ts';`;
  files['src/core/f500.ts'] = '';
  clean(files);
});

test('modules of Node are imported with node:', () => {
  caught({ 'src/core/a.ts': "import { readFileSync } from 'fs';" }, 'src/core/a.ts', /write node:fs/);
  clean({ 'src/core/a.ts': "import { readFileSync } from 'node:fs';" });
});

test('an import in a comment or in a string is none', () => {
  clean({
    'src/core/a.ts': "/**\n * import { a } from '../relay/relay.ts';\n */\n// import '../relay/relay.ts';\n",
    'src/core/b.ts': "const text = `it says: import x from '../relay/relay.ts'`;",
    'src/relay/relay.ts': '',
  });
});
