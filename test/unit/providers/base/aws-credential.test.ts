import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AccountToken } from '../../../../src/core/account-token.ts';
import { GatewayError } from '../../../../src/core/errors.ts';
import {
  type AwsAccount,
  awsAuth,
  awsCredential,
  awsTokenSources,
} from '../../../../src/providers/base/aws-credential.ts';
import type { Credential, UnsignedRequest } from '../../../../src/providers/credential.ts';
import { directHttp } from '../../../support/direct-http.ts';
import { type StsServer, startSts, stsEnvironment } from '../../../support/sts-server.ts';

const HOUR = 3_600_000;
const ROLE_ARN = 'arn:aws:iam::123456789012:role/bedrock';
const scope = { region: 'eu-west-1', service: 'bedrock' };
const role: AwsAccount = {
  name: 'aws',
  region: 'eu-west-1',
  auth_data: { type: 'assumed-role-based', assumed_role_arn: ROLE_ARN, external_id: 'tenant-7' },
};
const request: UnsignedRequest = {
  method: 'POST',
  origin: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
  path: '/model/m/converse',
  headers: ['content-type', 'application/json'],
  body: Buffer.from('{}'),
};
const token = (id: string, values: AccountToken['values']): AccountToken => ({
  id,
  values,
  expiresAtMs: Date.now() + HOUR,
});

let sts: StsServer;
before(async () => {
  sts = await startSts('not yet');
  Object.assign(process.env, stsEnvironment(sts));
});
after(() => sts[Symbol.asyncDispose]());

function signed(credential: Credential): Map<string, string> {
  const headers = credential.sign(request);
  assert.ok(!(headers instanceof GatewayError), headers instanceof GatewayError ? headers.message : '');
  return new Map(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]!]] : [])));
}

test('accounts with keys of their own need nothing from anybody', () => {
  const keys = awsAuth.parse({ type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 'secret' });
  for (const auth_data of [keys, awsAuth.parse({ type: 'api-key', api_key: 'k' })]) {
    assert.deepEqual(awsTokenSources({ ...role, auth_data }), []);
  }
  assert.deepEqual(
    [...signed(awsCredential({ ...role, auth_data: keys }, new Map(), scope)).keys()],
    ['x-amz-date', 'authorization'],
  );
});

test('a role is assumed with its external id, and its keys are good for as long as AWS says', async () => {
  sts.next = { accessKeyId: 'ASIAROLE', secretAccessKey: 'role-secret', sessionToken: 'role-session', lifeMs: HOUR };
  const [source] = awsTokenSources(role);
  const { values, expiresAtMs } = await source!.fetch(AbortSignal.timeout(10_000), directHttp);
  assert.deepEqual(values, { accessKeyId: 'ASIAROLE', secretAccessKey: 'role-secret', sessionToken: 'role-session' });
  assert.ok(Math.abs(expiresAtMs - Date.now() - HOUR) < 60_000);
  const asked = sts.asked.at(-1)!;
  assert.equal(asked.get('Action'), 'AssumeRole');
  assert.equal(asked.get('RoleArn'), ROLE_ARN);
  assert.equal(asked.get('ExternalId'), 'tenant-7');
  assert.equal(asked.get('RoleSessionName'), 'sluice-aws');
});

test('a role that may not be assumed is told in AWS’s words, without the keys', async () => {
  sts.next = 'User: arn:aws:iam::1:user/g is not authorized to perform: sts:AssumeRole';
  const [source] = awsTokenSources(role);
  await assert.rejects(source!.fetch(AbortSignal.timeout(10_000), directHttp), (error: Error) => {
    assert.match(error.message, /not authorized to perform: sts:AssumeRole/);
    assert.ok(!error.message.includes('gateway-secret'));
    return true;
  });
});

test('without auth_data the keys of the surroundings are used, and are looked up anew where they have no end', async () => {
  const [source] = awsTokenSources({ name: 'aws', region: 'eu-west-1' });
  const { values, expiresAtMs } = await source!.fetch(AbortSignal.timeout(10_000), directHttp);
  assert.deepEqual(values, { accessKeyId: 'AKIAGATEWAY', secretAccessKey: 'gateway-secret' });
  assert.ok(expiresAtMs > Date.now() + 60_000 && expiresAtMs < Date.now() + HOUR);
});

test('the reason is told when the surroundings have no keys', async () => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  try {
    const [source] = awsTokenSources({ name: 'aws', region: 'eu-west-1' });
    await assert.rejects(
      source!.fetch(AbortSignal.timeout(10_000), directHttp),
      /Could not load credentials from any providers/,
    );
  } finally {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  }
});

test('requests are signed with the newest keys of the account, and refused in its name while it has none', () => {
  const [{ id } = { id: '' }] = awsTokenSources(role);
  const tokens = new Map<string, AccountToken>();
  const credential = awsCredential(role, tokens, scope);
  const refused = credential.sign(request);
  assert.ok(refused instanceof GatewayError);
  assert.equal(refused.code, 'account_token_missing');
  for (const number of [1, 2]) {
    const values = {
      accessKeyId: `ASIAROLE${number}`,
      secretAccessKey: `s${number}`,
      sessionToken: `session-${number}`,
    };
    tokens.set(id, token(id, values));
    const headers = signed(credential);
    assert.equal(headers.get('x-amz-security-token'), `session-${number}`);
    assert.match(headers.get('authorization') ?? '', new RegExp(`Credential=ASIAROLE${number}/`));
  }
});

test('neither the newest keys nor those before are read in a provider’s words', () => {
  const [{ id } = { id: '' }] = awsTokenSources(role);
  const tokens = new Map<string, AccountToken>();
  const credential = awsCredential(role, tokens, scope);
  for (const number of [1, 2]) {
    const keys = { accessKeyId: `ASIA${number}${number}${number}${number}`, secretAccessKey: `secret-of-${number}` };
    tokens.set(id, token(id, { ...keys, sessionToken: `session-of-${number}` }));
    signed(credential);
  }
  assert.equal(
    credential.redact('secret-of-1 session-of-1 ASIA2222 session-of-2'),
    '[redacted] [redacted] [redacted] [redacted]',
  );
});

test('another role or external id is another source, and none is named by what it is asked with', () => {
  const idOf = (external_id: string) =>
    awsTokenSources({
      ...role,
      auth_data: { type: 'assumed-role-based', assumed_role_arn: ROLE_ARN, external_id },
    })[0]?.id;
  assert.notEqual(idOf('a'), idOf('b'));
  assert.doesNotMatch(idOf('tenant-7') ?? '', /tenant-7/);
});

test('access keys of manifests of 2025 sign as those of newer ones do, and half of a pair is refused by its key', () => {
  const older = { type: 'api-key', access_key: 'AKID', access_key_secret: 'secret' };
  const keys = awsAuth.parse(older);
  assert.deepEqual(awsAuth.parse(keys), keys, 'a manifest is parsed again on each thread');
  const newer = awsAuth.parse({ type: 'access-key-based', access_key_id: 'AKID', secret_access_key: 'secret' });
  assert.deepEqual({ ...keys }, { ...newer, session_token: undefined });
  assert.deepEqual(
    [...signed(awsCredential({ ...role, auth_data: keys }, new Map(), scope)).keys()],
    ['x-amz-date', 'authorization'],
  );
  for (const [written, place] of [
    [{ type: 'api-key' }, 'api_key'],
    [{ type: 'api-key', access_key: 'AKID' }, 'access_key_secret'],
  ] as const) {
    const { error } = awsAuth.safeParse(written);
    assert.deepEqual(
      error?.issues.map(({ path }) => path.join('.')),
      [place],
    );
  }
});
