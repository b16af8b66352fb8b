import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/codec/json-value.ts';
import { type OperationTool, toolsOf } from '../../../src/mcp/servers/openapi-document.ts';

const body = (schema: object) => ({ requestBody: { content: { 'application/json': { schema } } } });

function toolsIn(document: object, operations: Parameters<typeof toolsOf>[1]['operations'] = []): OperationTool[] {
  const tools = toolsOf(document as JsonObject, { allTools: true, operations });
  assert.ok(typeof tools !== 'string', String(tools));
  return tools;
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

test('a document whose schemas refer to each other by many ways is read within bounds, at once and to the last operation', () => {
  const width = 40;
  const schemas = Object.fromEntries(
    Array.from({ length: 8 }, (_each, level) => {
      const names = Array.from({ length: width }, (_one, at) => [`p${at}`, ref(`S${level + 1}`)]);
      return [`S${level}`, { type: 'object', properties: Object.fromEntries(names) }];
    }),
  );
  const paths = Object.fromEntries(
    Array.from({ length: 30 }, (_each, at) => [`/o${at}`, { post: { operationId: `o${at}`, ...body(ref('S0')) } }]),
  );
  const tools = toolsIn({ paths, components: { schemas: { ...schemas, S8: { type: 'string' } } } });
  assert.equal(tools.length, 30);
  const bytes = JSON.stringify(tools.map(({ tool }) => tool)).length;
  assert.ok(bytes < 8_000_000, String(bytes));
});

test('a schema that goes round in a circle becomes anything where it comes to itself', () => {
  const Pet = {
    type: 'object',
    properties: { name: { type: 'string' }, parent: ref('Pet'), friends: { items: ref('Pet') } },
  };
  const [tool] = toolsIn({ paths: { '/pets': { post: body(ref('Pet')) } }, components: { schemas: { Pet } } });
  assert.deepEqual(tool?.tool['inputSchema'], {
    type: 'object',
    properties: {
      body: { type: 'object', properties: { name: { type: 'string' }, parent: {}, friends: { items: {} } } },
    },
  });
});

test('no operation of a document takes the name of another, nor one that the manifest gives', () => {
  const get = (operationId: string) => ({ get: { operationId } });
  const paths = {
    '/danger': { delete: { operationId: 'read' } },
    '/safe': get('anything'),
    '/a': get('a b'),
    '/b': get('a.b'),
    '/c': get('a/b'),
    '/d': get('\u65e5\u672c'),
    '/e': get('\u56fd'),
  };
  const written = { method: 'get', path: '/safe', name: 'read', description: 'Reads.' };
  const tools = toolsIn({ paths }, [written]);
  assert.deepEqual(
    tools.map(({ tool, method, path }) => [tool.name, method, path]),
    [
      ['read_2', 'DELETE', '/danger'],
      ['read', 'GET', '/safe'],
      ['a_b', 'GET', '/a'],
      ['a.b', 'GET', '/b'],
      ['a_b_2', 'GET', '/c'],
      ['operation', 'GET', '/d'],
      ['operation_2', 'GET', '/e'],
    ],
  );
});
