import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { openDatabase } from '../../src/store/database.ts';
import { eventually, KEY, selfHosted, startGateway } from '../support/gateway.ts';
import { startCountingProvider, startLoad } from '../support/ledger-load.ts';
import { sluice } from '../support/sluice-command.ts';

test('a backup that is made while the gateway serves is a data folder: its keys work, its ledger verifies', async (t) => {
  const provider = await startCountingProvider();
  t.after(provider[Symbol.asyncDispose]);
  const manifests = [selfHosted('p', `${provider.origin}/v1`, ['m'])];
  const gateway = await startGateway({ manifests });
  t.after(gateway[Symbol.asyncDispose]);
  const { stdout } = await sluice(['keys', 'create', '--subject', 'user:a@b.c', '--config', gateway.configFile]);
  const token = stdout.trim();
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const load = startLoad(gateway, 2, ['m'], agent, 5);
  const rows = async () => gateway.metric('sluice_ledger_rows_total');
  await eventually('there are rows', async () => (await rows()) > 20, 20_000);
  const place = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const target = join(place, 'data');
  const made = await sluice(['backup', target, '--config', gateway.configFile]);
  assert.equal(made.code, 0, made.stderr);
  await load.stop();
  assert.deepEqual(load.failed, [], 'nobody noticed');
  assert.deepEqual((await readdir(target)).sort(), ['gateway-id', 'signing-key.pem', 'sluice.db']);
  for (const name of await readdir(target)) assert.equal((await stat(join(target, name))).mode & 0o777, 0o600, name);
  assert.equal(await gateway.stop(), 0);

  const verified = await sluice(['ledger', 'verify', '--data-dir', target]);
  assert.match(verified.stdout, /^\d{2,} rows in 1 chain: .*; 0 faults$/m, verified.stderr);
  const restored = await startGateway({ folder: place, manifests });
  t.after(restored[Symbol.asyncDispose]);
  const answer = await fetch(`${restored.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
});

test('a file that was uploaded is in the backup, and one that is on its way is not', async (t) => {
  const gateway = await startGateway();
  t.after(gateway[Symbol.asyncDispose]);
  const form = new FormData();
  form.append('purpose', 'user_data');
  form.append('file', new Blob(['hello']), 'a.txt');
  const headers = { authorization: `Bearer ${KEY}` };
  const uploaded = await fetch(`${gateway.url}/v1/files`, { method: 'POST', headers, body: form });
  const { id } = (await uploaded.json()) as { id: string };
  await writeFile(join(gateway.folder, 'data/blobs/incoming-0/file-ff'), 'half');
  const place = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const target = join(place, 'data');
  assert.equal((await sluice(['backup', target, '--config', gateway.configFile])).code, 0);
  assert.deepEqual(await readdir(join(target, 'blobs')), [id.slice(-2)]);
  const restored = await startGateway({ folder: place });
  t.after(restored[Symbol.asyncDispose]);
  const content = await fetch(`${restored.url}/v1/files/${id}/content`, { headers });
  assert.equal(await content.text(), 'hello');
});

test('a backup leaves the form of the database as it is, so that an older version can use it again', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const [from, to] = [join(place, 'from'), join(place, 'to')];
  const database = await openDatabase(from);
  await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '')`.execute(database.query);
  await database.close();
  assert.equal((await sluice(['backup', to, '--data-dir', from])).code, 0);
  await assert.rejects(openDatabase(to), /9999-later/);
});

test('a backup is refused where there is no database, and into a folder that holds something', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  const [nothing, full] = [join(place, 'nothing'), join(place, 'full')];
  const absent = await sluice(['backup', full, '--data-dir', nothing]);
  assert.deepEqual([absent.code, absent.stdout], [1, '']);
  assert.match(absent.stderr, /There is no database of Sluice at .*nothing\/sluice\.db/);
  assert.deepEqual(await readdir(place), []);
  await (await openDatabase(nothing)).close();
  await mkdir(full);
  await writeFile(join(full, 'mine'), '');
  const refused = await sluice(['backup', full, '--data-dir', nothing]);
  assert.deepEqual([refused.code, await readdir(full)], [1, ['mine']]);
  assert.match(refused.stderr, /is not empty/);
});
