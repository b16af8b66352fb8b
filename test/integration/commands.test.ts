// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { constants, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../src/store/database.ts';
import { sluice } from '../support/sluice-command.ts';

test('a mistyped command line is refused with exit code 1 and its fault, and nothing is made', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [words, said] of [
    [['key', 'list'], /unknown command 'key'. See: sluice --help/],
    [['keys', 'lst'], /unknown command 'lst'/],
    [['--port', 'abc'], /command line port: .*found the text "abc"; allowed: a whole number from 0 to 65535$/m],
    [['serve', '--threads', '0'], /command line threads: .*found 0; allowed: a whole number from 1 to 256$/m],
    [['keys', 'create', '--subject', 'user:a@b.c', '--expires', '1y'], /--expires: found "1y"/],
    [['ledger', 'erase'], /--subject, --metadata KEY=VALUE, or both/],
    [['ledger', 'erase', '--subject', 'bob'], /--subject: found "bob"; allowed is user:EMAIL/],
    [['ledger', 'erase', '--metadata', 'mail'], /--metadata: found "mail"; allowed is KEY=VALUE/],
    [['keys', 'list', '--config', 'nowhere.yaml'], /nowhere\.yaml: cannot read this path/],
  ] as const) {
    const { code, stderr } = await sluice(words, { cwd: folder });
    assert.deepEqual([words, code], [words, 1]);
    assert.match(stderr, said);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('a command that only reads makes no database: it says where there is none, and exits with 1', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const words of [
    ['keys', 'list'],
    ['keys', 'revoke', 'key_1'],
    ['keys', 'rotate', 'key_1'],
    ['keys', 'rotate-signing-key'],
    ['usage'],
    ['ledger', 'verify'],
    ['ledger', 'erase', '--subject', 'user:a@b.c'],
    ['ledger', 'receipt', 'ex_1', '--data-dir', './data'],
  ]) {
    const { code, stdout, stderr } = await sluice(words, { cwd: folder });
    assert.deepEqual([words, code, stdout], [words, 1, '']);
    assert.match(stderr, /^There is no database of Sluice at \/.*\/data\/sluice\.db: .*--data-dir or --config/);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('sluice ledger verify exits with 1 on an empty ledger, since nothing was verified', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await (await openDatabase(folder)).close();
  const { code, stdout, stderr } = await sluice(['ledger', 'verify', '--data-dir', folder]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /nothing was verified/);
});

test('a command that reads everything there is gives way to a gateway, and one that reads little does not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tell =
    "data:text/javascript,process.on('exit',()=>console.error('priority '+process.getBuiltinModule('os').getPriority()))";
  const env = { ...process.env, NODE_OPTIONS: `--import ${JSON.stringify(tell)}` };
  const priorityOf = async (words: readonly string[]) => {
    const { stderr } = await sluice(words, { cwd: folder, env });
    return Number(/^priority (-?\d+)$/m.exec(stderr)?.[1]);
  };
  const own = getPriority();
  const lowered = Math.max(own, constants.priority.PRIORITY_BELOW_NORMAL);
  assert.deepEqual(
    await Promise.all([['ledger', 'export'], ['ledger', 'verify'], ['backup', 'copy'], ['usage']].map(priorityOf)),
    [lowered, lowered, lowered, own],
  );
});

test('--version prints the version of the package, and nothing else', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'));
  const { stdout } = await sluice(['--version']);
  assert.equal(stdout, `${version}\n`);
});

test('a file of --dotenv brings the variables that are not set, and one that is not there is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const manifest = 'type: sluice/server\nlisten: {host: "${env:DOTENV_HOST}"}\ndata_dir: "${env:DOTENV_FOLDER}"\n';
  await writeFile(join(folder, 'a.yaml'), manifest);
  await writeFile(join(folder, '.env'), 'DOTENV_HOST=not a host\nDOTENV_FOLDER=./data\n');
  const checked = (env: Record<string, string>, ...more: string[]) =>
    sluice(['check', ...more], { cwd: folder, env: { ...process.env, SLUICE_CONFIG: 'a.yaml', ...env } });

  const without = await checked({});
  assert.match(without.stderr, /DOTENV_FOLDER is not set\. .*in a file of --dotenv$/m);
  const brought = await checked({}, '--dotenv', '.env');
  assert.match(brought.stderr, /^a\.yaml:2:16 listen\.host: /);
  assert.match(brought.stdout, /^1 file, 1 fault/m);
  const stands = await checked({ DOTENV_HOST: '127.0.0.1' }, '--dotenv', '.env');
  assert.deepEqual([stands.code, stands.stderr], [0, ''], 'a variable that is set stands over the file');
  const missing = await checked({}, '--dotenv', 'nowhere');
  assert.deepEqual([missing.code, missing.stderr], [1, 'nowhere (--dotenv) cannot be read: there is no such file\n']);
});
