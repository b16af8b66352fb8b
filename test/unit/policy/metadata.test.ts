import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerSettings } from '../../../src/config/server/server-settings.ts';
import { Callers } from '../../../src/policy/caller.ts';
import { recordedMetadata, requestMetadata } from '../../../src/policy/metadata.ts';

const identities = { users: [], teams: [], virtualAccounts: [], identityProviders: [], grants: [] };
const callers = new Callers({ identities, metadataRules: [], accounts: [] });

function callerWith(metadata: Record<string, string>) {
  return callers.of({ subject: 'user:a', keyId: 'k', teams: [], models: undefined, metadata });
}

function settings(ledger: string[], metrics: string[]): ServerSettings {
  return {
    ledger: { metadataKeys: ledger },
    metrics: { metadataKeys: metrics },
  } as Partial<ServerSettings> as ServerSettings;
}

test('metadata of the caller stands over that of the request', () => {
  const header = { env: 'dev', project: 'atlas' };
  assert.deepEqual(requestMetadata(header, callerWith({ env: 'prod' })), { env: 'prod', project: 'atlas' });
  assert.equal(requestMetadata(header, callerWith({})), header);
});

test('only the metadata keys that ledger and metrics are told to keep are recorded', () => {
  const metadata = { env: 'prod', project: 'atlas', secret: 'x' };
  assert.equal(
    recordedMetadata(metadata, settings(['env'], ['project', 'absent'])),
    '{"env":"prod","project":"atlas"}',
  );
  assert.equal(recordedMetadata(metadata, settings([], [])), undefined);
  assert.equal(recordedMetadata({}, settings(['env', 'constructor'], [])), undefined);
});
