import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../../src/cli/check.ts';
import { allPlugs } from '../../../src/plugs.ts';
import { manifestFolder } from './manifest-folder.ts';
import { accounts } from './wrong-manifests/accounts.ts';
import { clouds } from './wrong-manifests/clouds.ts';
import { documents } from './wrong-manifests/documents.ts';
import { hosts } from './wrong-manifests/hosts.ts';
import { identities } from './wrong-manifests/identities.ts';
import { keys } from './wrong-manifests/keys.ts';
import { limits } from './wrong-manifests/limits.ts';
import { models } from './wrong-manifests/models.ts';
import { server } from './wrong-manifests/server.ts';

const PLUGS = allPlugs();

/* The tables are in wrong-manifests/: manifest → what is printed. A person brings manifests along and mistypes them. */

const all = [...documents, ...server, ...keys, ...accounts, ...models, ...hosts, ...clouds, ...limits, ...identities];
const environment = { KEY: 'k', EMPTY: '', KEY_WITH_SPACE: 'k\n', PORT: '80' };
/** As if chats alone could be asked for: the tables stay as they are when an endpoint is added. */
const kinds = PLUGS.map(({ type, schema, tellingNames }) => ({
  type,
  schema,
  tellingNames,
  servedModelTypes: new Set(['chat']),
}));
const online = { openAccounts: () => [], tokenSources: () => [], probeOf: () => undefined };

for (const { wrong, manifest, prints } of all) {
  test(`check says what is wrong with ${wrong}`, async (t) => {
    const folder = manifestFolder(t, { 'a.yaml': manifest.map((line) => `${line}\n`).join('') });
    const lines: string[] = [];
    const put = (line: string) => void lines.push(line.replaceAll(`${folder}/`, ''));
    const code = await check([`${folder}/a.yaml`], {}, { kinds, environment, online, out: put, error: put });
    const counts = lines.pop() ?? '';
    assert.deepEqual(lines, prints);
    const faults = prints.filter((line) => !line.includes(': warning: '));
    assert.equal(code, faults.length > 0 ? 1 : 0);
    assert.match(counts, new RegExp(`^\\d files?, ${faults.length} fault`));
  });
}

test('nothing that is wrong passes in silence, and no line shows a secret', () => {
  assert.ok(all.length >= 86, `${all.length} manifests`);
  assert.equal(new Set(all.map(({ wrong }) => wrong)).size, all.length);
  for (const { wrong, prints } of all) {
    assert.ok(prints.length > 0, wrong);
    assert.doesNotMatch(prints.join('\n'), /sk-proj-secret|user:secret@/, wrong);
  }
});
