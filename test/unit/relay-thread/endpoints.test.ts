import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_LIMITS } from '../../../src/limits/admission.ts';
import { openapiDocument } from '../../../src/operator/openapi.ts';
import { dialects, PASSED_AT } from '../../../src/plugs.ts';
import { ownRoutes, PLANNED, routeTable } from '../../../src/relay-thread/endpoints.ts';
import { McpGate } from '../../../src/relay-thread/mcp-gate.ts';

const DIALECTS = dialects();

/** Nothing is handled: only where a path leads is asked. */
const options: Parameters<typeof routeTable>[0] = {
  dialects: DIALECTS,
  pipeline: {} as never,
  records: {} as never,
  oauth: {} as never,
  mcp: new McpGate({
    configuration: { mcpServers: [] } as never,
    pipeline: {} as never,
    limits: () => NO_LIMITS,
    keyOf: () => '',
    want: () => {},
  }),
  files: {} as never,
  batches: { files: {} } as never,
  responses: {} as never,
  secrets: {} as never,
  proxy: {} as never,
  passedAt: PASSED_AT,
  onAgentRun: () => undefined,
  document: { answer: async () => 200 },
  errorBody: () => Buffer.alloc(0),
};
const table = routeTable(options);
const document = await openapiDocument(DIALECTS);

const pathOf = (pattern: string) => pattern.replaceAll(/\{[^}]+\}/g, 'x');

test('an endpoint that is built is planned no more', () => {
  const served = PLANNED.filter(({ pattern }) => table.match(pathOf(pattern))?.routes.length !== 0);
  assert.deepEqual(served, []);
});

test('every path and method of the OpenAPI document is served', () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const routes = table.match(pathOf(path))?.routes ?? [];
    for (const method of Object.keys(methods)) {
      assert.ok(
        routes.some((route) => route.method === method.toUpperCase()),
        `${method} ${path}`,
      );
    }
  }
});

/** What probes and clients of other services ask, and no API. */
const ANSWERED_TO_BE_POLITE = ['/', '/healthz', '/api/hello', '/api/event_logging/batch', '/openapi.json'];

test('every route of the gateway stands in its OpenAPI document', () => {
  const nameless = (pattern: string) => pattern.replaceAll(/\{[^}]+\}/g, '{}');
  const told = new Map<string, Set<string>>();
  for (const [path, methods] of Object.entries(document.paths)) {
    const same = told.get(nameless(path)) ?? new Set();
    for (const method of Object.keys(methods)) same.add(method.toUpperCase());
    told.set(nameless(path), same);
  }
  for (const { method, pattern } of ownRoutes(options)) {
    if (ANSWERED_TO_BE_POLITE.includes(pattern)) continue;
    assert.ok(told.get(nameless(pattern))?.has(method), `${method} ${pattern}`);
  }
});
