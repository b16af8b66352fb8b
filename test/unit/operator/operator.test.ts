import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { openapiJson } from '../../../src/operator/openapi.ts';
import { type OperatorOptions, startOperator } from '../../../src/operator/operator.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { addRecords } from '../../support/add-records.ts';
import { fullRecord } from '../telemetry/records.ts';

const document = await openapiJson([]);

function operatorOptions(changes: Partial<OperatorOptions> = {}): OperatorOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    state: { relayThreads: 2, listeningThreads: 2, draining: false, ledgerFull: undefined },
    metrics: new Metrics({ inFlight: () => 3, bodyMemoryBytes: () => 0, logLinesDropped: () => 0 }),
    openapi: () => document,
    ...changes,
  };
}

test('a gateway is ready when all relay threads listen, the ledger has room and it does not drain, and alive in any case', async () => {
  const state = { relayThreads: 2, listeningThreads: 1, draining: false, ledgerFull: undefined as string | undefined };
  const operator = await startOperator(operatorOptions({ state }));
  const base = `http://127.0.0.1:${operator.port}`;
  try {
    const waiting = await fetch(`${base}/readyz`);
    assert.equal(waiting.status, 503);
    assert.deepEqual(await waiting.json(), { status: 'not ready', reason: '1 of 2 relay threads listen' });
    state.listeningThreads = 2;
    assert.equal((await fetch(`${base}/readyz`)).status, 200);
    state.ledgerFull = 'the disk is full';
    assert.deepEqual(await (await fetch(`${base}/readyz`)).json(), {
      status: 'not ready',
      reason: 'the disk is full',
    });
    state.ledgerFull = undefined;
    state.draining = true;
    assert.equal((await fetch(`${base}/readyz`)).status, 503);
    assert.equal((await fetch(`${base}/livez`)).status, 200);
  } finally {
    await operator.close();
  }
});

test('metrics show every record that was added, in Prometheus text', async () => {
  const metrics = new Metrics({ inFlight: () => 3, bodyMemoryBytes: () => 0, logLinesDropped: () => 0 });
  addRecords(metrics, [fullRecord()]);
  const operator = await startOperator(operatorOptions({ metrics }));
  try {
    const answer = await fetch(`http://127.0.0.1:${operator.port}/metrics?x=1`);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    assert.match(text, /^ai_gateway_requests_total\{model_name="openai-main\/gpt-4o",.*status_code="200"\} 1$/m);
    assert.match(text, /^sluice_in_flight 3$/m);
  } finally {
    await operator.close();
  }
});

test('an unknown operator path is 404 and a wrong method 405 with allow, both as JSON, without any admin route', async () => {
  const operator = await startOperator(operatorOptions());
  const base = `http://127.0.0.1:${operator.port}`;
  try {
    for (const path of ['/', '/nothing', '/admin/keys', '/admin']) {
      const answer = await fetch(base + path, { headers: { authorization: 'Bearer x' } });
      assert.equal(answer.status, 404);
      assert.partialDeepStrictEqual(await answer.json(), { error: { code: 'path_not_found' } });
    }
    const wrong = await fetch(`${base}/metrics`, { method: 'POST', body: 'x'.repeat(100) });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get('allow'), 'GET, HEAD');
    assert.partialDeepStrictEqual(await wrong.json(), { error: { code: 'method_not_allowed' } });
    const head = await fetch(`${base}/openapi.json`, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(document.length));
  } finally {
    await operator.close();
  }
});

test('the root of the operator port leads to the console, and an unknown path is told what there is', async () => {
  const door = () => Promise.reject(new Error('nobody signs in'));
  const operator = await startOperator(operatorOptions({ console: { door } }));
  const base = `http://127.0.0.1:${operator.port}`;
  try {
    const root = await fetch(`${base}/`, { redirect: 'manual' });
    assert.deepEqual([root.status, root.headers.get('location')], [302, '/console/']);
    const unknown = await fetch(`${base}/health`);
    assert.equal(unknown.status, 404);
    assert.match(
      await unknown.text(),
      /the port of the operator: it has \/livez, \/readyz, .*\/console\/; clients are served/,
    );
    assert.equal((await fetch(`${base}/`, { method: 'POST', redirect: 'manual' })).status, 404);
  } finally {
    await operator.close();
  }
});

test('a metric that cannot be rendered is an internal error, is logged, and the port lives on', async () => {
  const lines: unknown[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => lines.push(fields) };
  const metrics = { contentType: 'text/plain', renderBytes: () => Promise.reject(new Error('broken')) };
  const operator = await startOperator(operatorOptions({ metrics, log }));
  try {
    const answer = await fetch(`http://127.0.0.1:${operator.port}/metrics`);
    assert.equal(answer.status, 500);
    assert.ok(!(await answer.text()).includes('broken'));
    assert.equal(lines.length, 1);
    assert.equal((await fetch(`http://127.0.0.1:${operator.port}/livez`)).status, 200);
  } finally {
    await operator.close();
  }
});

test('an operator port in use is named with its setting', async () => {
  const first = await startOperator(operatorOptions());
  try {
    await assert.rejects(startOperator(operatorOptions({ port: first.port })), (error: Error) => {
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${first.port} is in use.*operator\\.port`));
      return true;
    });
  } finally {
    await first.close();
  }
});

test('a header block over the bound is refused by the operator port and its connection closed', async () => {
  const operator = await startOperator(operatorOptions());
  try {
    const socket = connect(operator.port, '127.0.0.1');
    socket.write(`GET /livez HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(20_000)}\r\n\r\n`);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 431 /);
  } finally {
    await operator.close();
  }
});

test('closing the operator port does not wait for a client that keeps its connection', async () => {
  const operator = await startOperator(operatorOptions());
  const socket = connect(operator.port, '127.0.0.1');
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  await operator.close();
  await closed;
});
