// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile as write } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfiguration } from '../../../src/config/load.ts';
import { versionOf } from '../../../src/config/shown-text.ts';
import { type ReadableSource, writeFile } from '../../../src/config-thread/configuration-files.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { accountKinds, wellKnown } from '../../../src/plugs.ts';

const BEFORE = `type: mcp-server/stdio
name: notes
description: Notes.
command: /bin/notes
args: [--quiet]
auth_data: {type: env, env: {LEVEL: "1"}}
collaborators: []
`;

let folder: string;
let file: string;
let source: ReadableSource;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-configuration-'));
  file = join(folder, 'sluice.yaml');
  const fixed = { paths: [file], environment: { SECRET: 'x' }, overrides: {}, kinds: accountKinds() };
  source = { paths: [file], load: (texts) => loadConfiguration({ ...fixed, wellKnown: wellKnown(), texts }) };
});
after(() => rm(folder, { recursive: true, force: true }));

async function written(text: string): Promise<string> {
  await write(file, BEFORE);
  const answer = await writeFile(source, { file, text, version: versionOf(BEFORE) });
  if (answer instanceof GatewayError) return answer.context.detail ?? answer.code;
  return (await readFile(file, 'utf8')) === text ? 'written' : 'not written';
}

test('a file that starts a program otherwise is not written, however its YAML says so', async () => {
  for (const text of [
    BEFORE.replace('/bin/notes', '/bin/sh'),
    BEFORE.replace('Notes.', '&other /bin/sh').replace('/bin/notes', '*other'),
    BEFORE.replace('--quiet', '--loud'),
    BEFORE.replace('[--quiet]', '[]').replace('/bin/notes', '--quiet'),
    BEFORE.replace('LEVEL: "1"', 'NODE_OPTIONS: --import=/tmp/other.js'),
  ]) {
    assert.match(await written(text), /another program, or one otherwise/, text);
  }
});

test('a file that reads another variable or file is not written, however its YAML says so', async () => {
  for (const description of [
    '${env:SECRET}',
    '"\\u0024{env:SECRET}"',
    '"$\\\n  {env:SECRET}"',
    '"${\\x65nv:SECRET}"',
  ]) {
    assert.match(await written(BEFORE.replace('Notes.', description)), /reads another/, description);
  }
});

test('a file that asks nothing more of the machine is written', async () => {
  assert.equal(await written(BEFORE.replace('Notes.', 'All notes.')), 'written');
});
