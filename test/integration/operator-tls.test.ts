import assert from 'node:assert/strict';
import { request } from 'node:https';
import { test } from 'node:test';
import { noOpenssl, selfSigned } from '../support/certificate.ts';
import { NotStarted, startGateway } from '../support/gateway.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';

/** Status and body of one GET; `ca`: whom the client trusts. */
function get(url: string, ca: string | undefined, headers = {}): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ca, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes));
      response.on('end', () => resolve({ status: response.statusCode, text }));
    })
      .on('error', reject)
      .end();
  });
}

test('the operator port speaks TLS where operator.tls says so: probes, metrics, admin API and the document', {
  skip: noOpenssl,
}, async (t) => {
  const { cert, certFile, keyFile } = await selfSigned(t, 'IP:127.0.0.1');
  const tls = { cert_file: certFile, key_file: keyFile };
  const gateway = await startGateway({
    server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY, tls } },
  });
  t.after(gateway[Symbol.asyncDispose]);
  assert.match(gateway.operatorUrl, /^https:/);
  assert.match(gateway.url, /^http:/, 'the client port is as it was');
  assert.equal((await get(`${gateway.operatorUrl}/readyz`, cert)).status, 200);
  assert.match((await get(`${gateway.operatorUrl}/metrics`, cert)).text, /sluice_in_flight 0/);
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  assert.equal((await get(`${gateway.operatorUrl}/admin/keys`, cert, headers)).status, 200);
  assert.ok((await get(`${gateway.operatorUrl}/openapi.json`, cert)).text.includes(gateway.operatorUrl));
  // A client that does not trust the certificate, or does not speak TLS, is not served.
  await assert.rejects(get(`${gateway.operatorUrl}/readyz`, undefined), /self-signed/);
  await assert.rejects(fetch(gateway.operatorUrl.replace('https', 'http')));
  assert.equal(await gateway.stop(), 0);
});

test('TLS files of the operator port that cannot be used stop the start, with their names', {
  skip: noOpenssl,
}, async (t) => {
  const { certFile } = await selfSigned(t, 'IP:127.0.0.1');
  for (const [tls, said] of [
    [
      { cert_file: '/nowhere/cert.pem', key_file: certFile },
      /operator\.tls\.cert_file.*cannot read \/nowhere\/cert\.pem/,
    ],
    // A certificate where a key should be.
    [{ cert_file: certFile, key_file: certFile }, /cannot speak TLS with .*cert\.pem \(operator\.tls\): /],
  ] as const) {
    await assert.rejects(startGateway({ server: { operator: { host: '127.0.0.1', port: 0, tls } } }), (error) => {
      assert.ok(error instanceof NotStarted);
      assert.equal(error.exitCode, 1);
      assert.match(error.output, said);
      return true;
    });
  }
});
