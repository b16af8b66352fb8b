import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noOpenssl, selfSigned } from '../../support/certificate.ts';
import { configurationOf, loadText, manifestFolder } from './manifest-folder.ts';

const server = (upstream: string) => `type: sluice/server\nupstream: ${upstream}\n`;

test('a proxy that is written is for all providers, and the variables do not count', (t) => {
  const environment = { HTTPS_PROXY: 'http://env:1', NO_PROXY: 'a.example' };
  const { upstream } = configurationOf(
    loadText(t, server('{proxy: "http://p:3128", no_proxy: [10.0.0.0/8, .corp]}'), environment),
  ).server;
  assert.deepEqual(upstream, {
    proxies: { http: 'http://p:3128', https: 'http://p:3128' },
    noProxy: ['10.0.0.0/8', '.corp'],
  });
  assert.deepEqual(configurationOf(loadText(t, server('{proxy: none}'), environment)).server.upstream, {
    proxies: {},
    noProxy: [],
  });
});

test('HTTPS_PROXY is for https providers, with the exceptions of NO_PROXY, and HTTP_PROXY is not read', (t) => {
  const of = (environment: Record<string, string>, text = 'type: sluice/server') =>
    configurationOf(loadText(t, text, environment)).server.upstream;
  assert.deepEqual(of({ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'localhost, .corp' }), {
    proxies: { https: 'http://p:1' },
    noProxy: ['localhost', '.corp'],
  });
  assert.deepEqual(of({ https_proxy: 'p:1', no_proxy: '*' }), { proxies: { https: 'http://p:1' }, noProxy: ['*'] });
  assert.deepEqual(of({ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a' }, server('{no_proxy: [b]}')).noProxy, ['b']);
  assert.deepEqual(of({ HTTP_PROXY: 'http://p:1', NO_PROXY: 'a' }), { proxies: {}, noProxy: [] });
});

test('a variable that is no address of an HTTP proxy is a warning that does not show it', (t) => {
  const loaded = loadText(t, 'type: sluice/server', { HTTPS_PROXY: 'socks5://user:hunter2@p:1' });
  assert.deepEqual(configurationOf(loaded).server.upstream, { proxies: {}, noProxy: [] });
  assert.match(loaded.warnings.join(), /upstream.proxy: the environment variable HTTPS_PROXY is no address/);
  assert.doesNotMatch(loaded.warnings.join(), /hunter2/);
});

test('a wrong proxy is a fault that does not show its password', (t) => {
  const { faults } = loadText(t, server('{proxy: "socks5://user:hunter2@p:1"}'));
  assert.match(faults.join(), /upstream.proxy: .*found an address \(not shown\); allowed: `none`, or an address as/);
  assert.doesNotMatch(faults.join(), /hunter2/);
});

test('the file of authorities is read, watched, and must hold certificates', { skip: noOpenssl }, async (t) => {
  const { cert, certFile } = await selfSigned(t, 'DNS:a.test');
  const loaded = loadText(t, server(`{ca_file: ${certFile}}`));
  assert.equal(configurationOf(loaded).server.upstream.ca, cert.trim());
  assert.ok(loaded.result.files.includes(certFile));
  const folder = manifestFolder(t, { 'empty.pem': '', 'key.pem': cert.replace(/[A-Za-z]{20}/, '') });
  for (const [file, said] of [
    ['none.pem', /cannot read .*there is no such file/],
    ['empty.pem', /holds no certificate — allowed: certificates in PEM form/],
    ['key.pem', /holds something that is no certificate/],
  ] as const) {
    assert.match(loadText(t, server(`{ca_file: ${folder}/${file}}`)).faults.join(), said);
  }
});
