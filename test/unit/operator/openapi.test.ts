import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { ERRORS } from '../../../src/core/errors.ts';
import type { AdminRoute } from '../../../src/operator/admin/admin-route.ts';
import { openapiJson } from '../../../src/operator/openapi.ts';
import { dialects } from '../../../src/plugs.ts';
import { noReferenceDocument, referenceDocument } from '../../support/recordings.ts';

const DIALECTS = dialects();

type Node = { [key: string]: Node } | Node[] | string | number | boolean | null | undefined;

function at(node: Node, ...path: string[]): Node {
  for (const key of path)
    node = typeof node === 'object' && node !== null && !Array.isArray(node) ? node[key] : undefined;
  return node;
}

function keysAt(node: Node, ...path: string[]): string[] {
  const found = at(node, ...path);
  return typeof found === 'object' && found !== null ? Object.keys(found) : [];
}

const handle = () => ({ status: 200 });
const ours: Node = JSON.parse((await openapiJson(DIALECTS)).toString());

test('every reference of the OpenAPI document leads somewhere, and every component is used', () => {
  const text = JSON.stringify(ours);
  const references = new Set([...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!));
  for (const reference of references) assert.notEqual(at(ours, ...reference.split('/')), undefined, reference);
  for (const kind of ['schemas', 'parameters', 'headers', 'responses'] as const) {
    for (const name of keysAt(ours, 'components', kind)) {
      // The chunk is named in prose: a stream has no schema of its own in OpenAPI 3.0.
      if (name !== 'ChatCompletionChunk') assert.ok(references.has(`components/${kind}/${name}`), `${kind}/${name}`);
    }
  }
});

test('endpoints, parameters, answers and statuses of the reference document are all there', {
  skip: noReferenceDocument,
}, () => {
  const theirs: Node = parse(readFileSync(referenceDocument, 'utf8'));
  for (const [path, method] of [
    ['/chat/completions', 'post'],
    ['/embeddings', 'post'],
    ['/moderations', 'post'],
    ['/rerank', 'post'],
    ['/images/generations', 'post'],
    ['/audio/speech', 'post'],
    ['/audio/transcriptions', 'post'],
    ['/files', 'get'],
    ['/files', 'post'],
    ['/files/{file_id}', 'get'],
    ['/files/{file_id}', 'delete'],
    ['/models', 'get'],
  ] as const) {
    const operation = ['paths', path, method];
    assert.equal(at(ours, ...operation, 'operationId'), at(theirs, ...operation, 'operationId'));
    for (const status of keysAt(theirs, ...operation, 'responses'))
      assert.ok(keysAt(ours, ...operation, 'responses').includes(status), `${path} ${status}`);
    for (const type of keysAt(theirs, ...operation, 'responses', '200', 'content'))
      assert.ok(keysAt(ours, ...operation, 'responses', '200', 'content').includes(type), `${path} ${type}`);
  }
  for (const name of [
    'ChatCompletionRequest',
    'ChatCompletionResponse',
    'EmbeddingRequest',
    'EmbeddingResponse',
    'ImageGenerationRequest',
    'ImageGenerationResponse',
    'FileObject',
    'ModelObject',
  ]) {
    const properties = ['components', 'schemas', name, 'properties'];
    for (const property of keysAt(theirs, ...properties)) {
      assert.ok(keysAt(ours, ...properties).includes(property), `${name}.${property}`);
      for (const bound of ['type', 'minimum', 'maximum', 'default']) {
        const expected = at(theirs, ...properties, property, bound);
        if (expected !== undefined) assert.deepEqual(at(ours, ...properties, property, bound), expected, property);
      }
    }
  }
  const roles = [
    'components',
    'schemas',
    'ChatCompletionRequest',
    'properties',
    'messages',
    'items',
    'properties',
    'role',
  ];
  assert.deepEqual(at(ours, ...roles, 'enum'), at(theirs, ...roles, 'enum'));
});

test('every code that a client may meet with 429 or 503 is named in the answer of that status', () => {
  for (const [name, status] of [
    ['RateLimited', 429],
    ['Unavailable', 503],
  ] as const) {
    const description = String(at(ours, 'components', 'responses', name, 'description'));
    for (const [code, rule] of Object.entries(ERRORS)) {
      if (rule.status === status) assert.ok(description.includes(`\`${code}\``), code);
    }
  }
});

test('the headers of limits are in the OpenAPI document: on refusals, and which rules applied on answers too', () => {
  const refused = keysAt(ours, 'components', 'responses', 'RateLimited', 'headers');
  for (const what of ['limit', 'remaining', 'reset']) {
    for (const counted of ['requests', 'tokens']) assert.ok(refused.includes(`x-ratelimit-${what}-${counted}`));
  }
  assert.ok(refused.includes('retry-after') && refused.includes('x-tfy-applied-rules'));
  const answered = ['paths', '/chat/completions', 'post', 'responses', '200', 'headers'];
  assert.ok(keysAt(ours, ...answered).includes('x-tfy-applied-rules'));
  const sent = keysAt(ours, 'components', 'parameters').map((name) =>
    at(ours, 'components', 'parameters', name, 'name'),
  );
  for (const name of ['x-tfy-metadata', 'x-tfy-provider-name']) assert.ok(sent.includes(name), name);
});

test('an admin operation says what else it may answer: bodies that are too large or too slow, conflicts, other types', async () => {
  const routes: AdminRoute[] = [
    { method: 'POST', path: '/admin/a', summary: '', requestBody: {}, conflict: 'It is over', handle },
    { method: 'GET', path: '/admin/a', summary: '', otherTypes: ['text/csv'], handle },
  ];
  const document: Node = JSON.parse(
    (await openapiJson(DIALECTS, { routes, operatorUrl: 'http://o', hasConsole: false })).toString(),
  );
  const answers = ['paths', '/admin/a', 'post', 'responses'];
  assert.deepEqual(keysAt(document, ...answers), ['200', '400', '401', '404', '408', '409', '413', '503']);
  assert.equal(at(document, ...answers, '409', 'description'), 'It is over');
  const shown = ['paths', '/admin/a', 'get', 'responses'];
  assert.deepEqual(keysAt(document, ...shown), ['200', '400', '401', '404', '503']);
  assert.deepEqual(keysAt(document, ...shown, '200', 'content'), ['application/json', 'text/csv']);
});

test('the document tells how browsers sign in to the console, where there is one', async () => {
  const admin = { routes: [], operatorUrl: 'http://o' };
  const paths = async (hasConsole: boolean) =>
    JSON.parse((await openapiJson(DIALECTS, { ...admin, hasConsole })).toString()).paths;
  const told = await paths(true);
  assert.deepEqual(Object.keys(told['/console/session']), ['servers', 'get', 'post', 'delete']);
  assert.ok(told['/console/sign-in/oidc'] && told['/console/sign-in/oidc/callback']);
  assert.equal((await paths(false))['/console/session'], undefined);
});
