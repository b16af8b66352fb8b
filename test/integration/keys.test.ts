import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sql } from 'kysely';
import { KeyRing } from '../../src/authentication/authenticate.ts';
import { packKeys } from '../../src/config/packed-keys.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { openDatabase } from '../../src/store/database.ts';
import { loadOrMakeSigningKey } from '../../src/store/signing-key.ts';
import { issuedKeys } from '../support/issued-keys.ts';
import { storedKeys } from '../support/stored-keys.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'sluice-processes-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

/** A process of its own that runs `source` with `keysCreate`, `openDatabase`, `loadOrMakeSigningKey`, `output` and `dataDir` in sight. */
function start(source: string): ChildProcess {
  const at = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    const { keysCreate } = await import(${at('cli/keys.ts')});
    const { openDatabase } = await import(${at('store/database.ts')});
    const { loadOrMakeSigningKey } = await import(${at('store/signing-key.ts')});
    const dataDir = ${JSON.stringify(dataDir)};
    const output = { out: (text) => process.stdout.write(text + '\\n'), error: (text) => process.stderr.write(text + '\\n') };
    ${source}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function finished(child: ChildProcess): Promise<{ code: number | null; out: string; error: string }> {
  let out = '';
  let error = '';
  child.stdout?.on('data', (chunk) => (out += chunk));
  child.stderr?.on('data', (chunk) => (error += chunk));
  const [code] = await once(child, 'close');
  return { code, out, error };
}

describe('processes that share a data folder', () => {
  it('processes that make the signing key at once agree on one', async () => {
    const make = `process.stdout.write((await loadOrMakeSigningKey(dataDir, console.error)).verification.keyId)`;
    const results = await Promise.all([1, 2, 3].map(() => finished(start(make))));
    assert.deepEqual(
      results.map((result) => [result.code, result.error]),
      results.map(() => [0, '']),
    );
    assert.equal(new Set(results.map((result) => result.out)).size, 1);
    assert.deepEqual(await readdir(dataDir), ['signing-key.pem']);
  });

  it('commands that make keys at once in a new folder each print one valid key and nothing else', async () => {
    const make = `process.exitCode = await keysCreate({ subject: 'virtualaccount:ci' }, { database: 'sqlite', dataDir }, output)`;
    const results = await Promise.all([1, 2, 3].map(() => finished(start(make))));
    const { verification } = await loadOrMakeSigningKey(dataDir, assert.fail);
    const ring = new KeyRing({ configured: packKeys([]), issued: issuedKeys([verification]) });
    for (const { code, out, error } of results) {
      assert.equal(code, 0, error);
      assert.match(error, /^Made key_\w+ for virtualaccount:ci, without expiry\. [^\n]*\n$/);
      assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
      assert.ok(!(ring.lookup(out.trim()) instanceof GatewayError));
    }
  });

  it('processes that open a new database at once all find it whole', async () => {
    const at = Date.now() + 400;
    const open = `for (let index = 0; index < 20; index += 1) {
      const next = ${at} + index * 25;
      while (Date.now() < next) if (next - Date.now() > 5) await new Promise((resolve) => setTimeout(resolve, 3));
      const database = await openDatabase(dataDir + '/' + index);
      await database.query.selectFrom('api_keys').selectAll().execute();
      await database.close();
    }`;
    const results = await Promise.all([1, 2, 3].map(() => finished(start(open))));
    assert.deepEqual(
      results.map((result) => [result.code, result.error]),
      results.map(() => [0, '']),
    );
  });

  it('every key that was printed is kept when a command is killed while it makes more', async () => {
    const child = start(
      `for (;;) await keysCreate({ subject: 'virtualaccount:ci' }, { database: 'sqlite', dataDir }, { ...output, error() {} });`,
    );
    const tokens: string[] = [];
    for await (const line of createInterface({ input: child.stdout! })) {
      tokens.push(line);
      if (tokens.length === 20) child.kill('SIGKILL');
    }
    assert.ok(tokens.length >= 20);
    const database = await openDatabase(dataDir);
    const integrity = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.query);
    assert.equal(integrity.rows[0]?.integrity_check, 'ok');
    const stored = new Set((await storedKeys(database)).map((key) => key.id));
    await database.close();
    const { verification } = await loadOrMakeSigningKey(dataDir, assert.fail);
    const ring = new KeyRing({ configured: packKeys([]), issued: issuedKeys([verification]) });
    // The last line may be cut: the kill can come in the middle of a write.
    for (const token of tokens.slice(0, 20)) {
      const principal = ring.lookup(token);
      assert.ok(!(principal instanceof GatewayError));
      assert.ok(stored.has(principal.keyId));
    }
  });
});
