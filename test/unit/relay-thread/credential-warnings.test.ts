import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import { CredentialWarnings } from '../../../src/relay-thread/credential-warnings.ts';
import { exampleTarget } from '../../support/targets.ts';

test('a refused credential is a warning with account, status and words, once a minute for each, with their number', (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const warned: object[] = [];
  const fail = () => assert.fail();
  const log = { debug: fail, info: fail, error: fail, warn: (fields: object) => warned.push(fields) };
  const warnings = new CredentialWarnings(log, () => 'keep');
  const refused = (account: string, upstreamStatus: number) =>
    warnings.refused(
      { ...exampleTarget, account, id: `${account}/m` },
      new GatewayError('upstream_credential', { upstreamStatus, operatorDetail: `${upstreamStatus}: no` }),
    );
  for (let again = 0; again < 10; again += 1) refused('main', 401);
  assert.deepEqual(warned, [{ account: 'main', target: 'main/m', status: 401, reason: '401: no' }]);
  refused('main', 402);
  refused('other', 401);
  assert.equal(warned.length, 3, 'another status and another account are told apart');
  now = 60_000;
  refused('main', 401);
  assert.deepEqual(warned[3], {
    account: 'main',
    target: 'main/m',
    status: 401,
    reason: '401: no',
    sinceLastWarning: 9,
  });
});
