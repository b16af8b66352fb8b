import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Method } from '../../../../src/core/exchange.ts';
import { AwsSigner, canonicalRequest } from '../../../../src/providers/base/aws-signature.ts';
import type { UnsignedRequest } from '../../../../src/providers/credential.ts';
import { awsSignatures } from '../../../support/recordings.ts';
import { Sha256 } from '../../../support/signed-request.ts';

function signerOf(context: { credentials: Record<string, string>; region: string; service: string }): AwsSigner {
  const { access_key_id = '', secret_access_key = '', token } = context.credentials;
  const keys = { accessKeyId: access_key_id, secretAccessKey: secret_access_key, sessionToken: token };
  return new AwsSigner(keys, context);
}

function requestOf(text: string): UnsignedRequest {
  const [head = '', ...rest] = text.split('\n\n');
  const [first = '', ...lines] = head.split('\n');
  const [, method = '', path = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(first) ?? [];
  const headers: string[] = [];
  let host = '';
  for (const line of lines.filter((each) => each !== '')) {
    const at = line.indexOf(':');
    const [name, value] = [line.slice(0, at), line.slice(at + 1)];
    if (name.toLowerCase() === 'host') host = value;
    else headers.push(name, value);
  }
  const body = rest.join('\n\n');
  return {
    method: method as Method,
    origin: `https://${host}`,
    path,
    headers,
    body: body === '' ? undefined : Buffer.from(body),
  };
}

const signatureOf = (authorization: string | undefined) => /Signature=([0-9a-f]{64})$/.exec(authorization ?? '')?.[1];

for (const [name, files] of Object.entries(awsSignatures())) {
  const context = JSON.parse(files['context.json'] ?? '{}');
  const text = files['request.txt'] ?? '';
  // Paths are sent as they are: nothing of ours holds `.`, `..` or `//`, and Unicode is encoded before.
  if (!context.normalize || /normalize|unicode|utf8|space|slash|relative|multiline/.test(name)) continue;
  if (context.omit_session_token || context.sign_body) continue;
  test(`AWS's suite: ${name} is signed as AWS signs it`, () => {
    const signed = signerOf(context).sign(requestOf(text), Date.parse(context.timestamp));
    assert.equal(signatureOf(signed.at(-1)), files['header-signature.txt']);
  });
}

test('a request with a body, an encoded path and a session token is signed over all of them', () => {
  const signer = new AwsSigner(
    { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', sessionToken: 'token' },
    { region: 'us-east-1', service: 'bedrock' },
  );
  const request: UnsignedRequest = {
    method: 'POST',
    origin: 'https://bedrock-runtime.us-east-1.amazonaws.com',
    path: '/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse',
    headers: ['content-type', 'application/json', 'accept', ' a  b '],
    body: Buffer.from('{}'),
  };
  const added = ['x-amz-date', '20150830T123600Z', 'x-amz-security-token', 'token'];
  const { text, signedHeaders } = canonicalRequest(request, added);
  assert.equal(
    text,
    [
      'POST',
      '/model/anthropic.claude-haiku-4-5-20251001-v1%253A0/converse',
      '',
      'accept:a b',
      'content-type:application/json',
      'host:bedrock-runtime.us-east-1.amazonaws.com',
      'x-amz-date:20150830T123600Z',
      'x-amz-security-token:token',
      '',
      'accept;content-type;host;x-amz-date;x-amz-security-token',
      '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    ].join('\n'),
  );
  assert.equal(signedHeaders, 'accept;content-type;host;x-amz-date;x-amz-security-token');
  const at = Date.parse('2015-08-30T12:36:00Z');
  const signed = signer.sign(request, at);
  assert.deepEqual(signed.slice(0, 4), added);
  assert.deepEqual(signer.sign({ ...request, body: [Buffer.from('{'), Buffer.from('}')] }, at), signed);
  assert.notEqual(signer.sign({ ...request, body: Buffer.from('[]') }, at).at(-1), signed.at(-1));
});

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const PATHS = [
  '/',
  '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream',
  `/model/${encodeURIComponent('arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/ab12cd')}/converse`,
  "/model/a%20b%2Bc'(x)!*~/invoke",
  '/foundation-models?byProvider=Amazon&byOutputModality=TEXT&a=&%C3%A4=%2F',
];

for (const path of PATHS) {
  for (const sessionToken of [undefined, 'FwoGZXIvYXdzEBYaD+/=']) {
    test(`the signer of AWS's SDKs signs ${path} ${sessionToken ? 'of a session' : 'of a user'} the same`, async () => {
      const keys = { ...KEYS, sessionToken };
      const scope = { region: 'eu-west-1', service: 'bedrock' };
      const at = Date.parse('2026-03-01T23:59:59.999Z');
      const body = Buffer.from('{"messages":[{"role":"user","content":[{"text":"Grüezi"}]}]}');
      const [pathname = '', query = ''] = path.split('?');
      const oracle = new SignatureV4({ ...scope, credentials: keys, sha256: Sha256, applyChecksum: false });
      const signed = await oracle.sign(
        {
          method: 'POST',
          protocol: 'https:',
          hostname: 'bedrock-runtime.eu-west-1.amazonaws.com',
          path: pathname,
          query: Object.fromEntries(new URLSearchParams(query)),
          headers: { host: 'bedrock-runtime.eu-west-1.amazonaws.com', 'content-type': 'application/json' },
          body,
        },
        { signingDate: new Date(at) },
      );
      const request: UnsignedRequest = {
        method: 'POST',
        origin: 'https://bedrock-runtime.eu-west-1.amazonaws.com',
        path,
        headers: ['content-type', 'application/json'],
        body,
      };
      const signer = new AwsSigner(keys, scope);
      assert.equal(signer.sign(request, at).at(-1), signed.headers['authorization']);
      // The key of a day is kept; that of the next is another one.
      assert.equal(signer.sign(request, at).at(-1), signed.headers['authorization']);
      assert.match(signer.sign(request, at + 1).at(-1) ?? '', /\/20260302\//);
    });
  }
}

/** Vectors of AWS's suite (awslabs/aws-c-auth, Apache-2.0), so that a clone without it checks some of it as well. */
const OF_AWS: Record<string, [request: string, signature: string]> = {
  'get-vanilla': [
    'GET / HTTP/1.1\nHost:example.amazonaws.com\n\n',
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  ],
};

for (const [name, [text, signature]] of Object.entries(OF_AWS)) {
  test(`AWS's ${name} is signed as AWS says`, () => {
    const signer = new AwsSigner(KEYS, { region: 'us-east-1', service: 'service' });
    const signed = signer.sign(requestOf(text), Date.parse('2015-08-30T12:36:00Z'));
    assert.equal(signatureOf(signed.at(-1)), signature);
  });
}
