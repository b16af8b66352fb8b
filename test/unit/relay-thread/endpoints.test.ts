import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_LIMITS } from '../../../src/limits/admission.ts';
import { openapiDocument } from '../../../src/operator/openapi.ts';
import { DIALECTS, PASSED_AT } from '../../../src/plugs.ts';
import { PLANNED, routeTable } from '../../../src/relay-thread/endpoints.ts';
import { McpGate } from '../../../src/relay-thread/mcp-gate.ts';

/** Nothing is handled: only where a path leads is asked. */
const table = routeTable({
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
  batches: {} as never,
  responses: {} as never,
  proxy: {} as never,
  passedAt: PASSED_AT,
  openapi: Buffer.alloc(0),
  errorBody: () => Buffer.alloc(0),
});

const pathOf = (pattern: string) => pattern.replaceAll(/\{[^}]+\}/g, 'x');

test('an endpoint that is built is planned no more', () => {
  const served = PLANNED.filter(({ pattern }) => table.match(pathOf(pattern))?.routes.length !== 0);
  assert.deepEqual(served, []);
});

test('every path and method of the OpenAPI document is served', () => {
  for (const [path, methods] of Object.entries(openapiDocument.paths)) {
    const routes = table.match(pathOf(path))?.routes ?? [];
    for (const method of Object.keys(methods)) {
      assert.ok(
        routes.some((route) => route.method === method.toUpperCase()),
        `${method} ${path}`,
      );
    }
  }
});
