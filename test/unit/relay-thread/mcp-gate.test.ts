import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import type { GatewayError } from '../../../src/core/errors.ts';
import { NO_LIMITS } from '../../../src/limits/admission.ts';
import { McpGate } from '../../../src/relay-thread/mcp-gate.ts';

interface Seen {
  refused: string[];
  wanted: number;
  finished: number;
}

function gateWith(seen: Seen): McpGate {
  const caller = {
    principal: { subject: 'user:a' },
    subjects: new Set(['*']),
    metadata: undefined,
    teamsJson: undefined,
  };
  const pipeline = {
    snapshot: () => ({ callers: { of: () => caller } }),
    refusal: () => undefined,
    refused: (_exchange: unknown, { code }: GatewayError) => seen.refused.push(code),
    record: () => undefined,
  };
  const settings = {
    listen: { host: '127.0.0.1' },
    mcp: { maxMessageBytes: 1000 },
    ledger: { metadataKeys: [] },
    metrics: { metadataKeys: [] },
  };
  return new McpGate({
    configuration: { mcpServers: [], server: settings } as never,
    pipeline: pipeline as never,
    limits: () => NO_LIMITS,
    keyOf: () => 'key',
    want: () => {
      seen.wanted += 1;
    },
  });
}

function exchangeOf(seen: Seen, body = '{}') {
  return {
    method: 'POST',
    params: { name: 'server' },
    principal: {},
    headers: {},
    body: Buffer.from(body),
    sink: {},
    releaseBody: () => undefined,
    refuse: () => undefined,
    finish: () => {
      seen.finished += 1;
    },
  } as never;
}

test('requests that wait for the thread of MCP ask for it once, and are refused when it ends', async () => {
  const seen: Seen = { refused: [], wanted: 0, finished: 0 };
  const gate = gateWith(seen);
  const [route] = gate.routes();
  route?.handle(exchangeOf(seen));
  route?.handle(exchangeOf(seen));
  assert.equal(seen.wanted, 1);
  const { port1, port2 } = new MessageChannel();
  gate.connect(port1);
  await once(port2, 'message');
  port2.close();
  await once(port1, 'close');
  assert.deepEqual(seen.refused, ['mcp_unavailable', 'mcp_unavailable']);
  assert.equal(seen.finished, 2);
  route?.handle(exchangeOf(seen));
  assert.equal(seen.wanted, 2);
});

test('a body that is larger than a message may be is refused with the setting', () => {
  const seen: Seen = { refused: [], wanted: 0, finished: 0 };
  const [route] = gateWith(seen).routes();
  route?.handle(exchangeOf(seen, 'x'.repeat(1001)));
  assert.deepEqual(seen.refused, ['body_too_large']);
});
