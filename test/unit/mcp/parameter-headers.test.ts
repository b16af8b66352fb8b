import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeader, encodeHeader } from '../../../src/mcp/protocol/eras.ts';
import { parameterHeaders } from '../../../src/mcp/protocol/parameter-headers.ts';

const wish = { type: 'string', 'x-mcp-header': 'Region' };

test('arguments that a server wants in headers are read at their very path', () => {
  const schema = { type: 'object', properties: { where: { type: 'object', properties: { region: wish } } } };
  const [header] = parameterHeaders(schema) ?? [];
  assert.equal(header?.header, 'Region');
  assert.equal(header?.valueIn({ where: { region: 'eu' } }), 'eu');
  assert.equal(header?.valueIn({ where: { region: true } }), 'true');
  for (const args of [undefined, {}, { where: 1 }, { where: { region: null } }, { region: 'eu' }]) {
    assert.equal(header?.valueIn(args), undefined);
  }
});

test('a malformed wish for a header makes the definition of its tool malformed', () => {
  const properties = (property: object, more: object = {}) => ({
    type: 'object',
    properties: { a: property, ...more },
  });
  for (const schema of [
    properties({ type: 'number', 'x-mcp-header': 'A' }),
    properties({ type: 'string', 'x-mcp-header': '' }),
    properties({ type: 'string', 'x-mcp-header': 'a b' }),
    properties(wish, { b: { type: 'string', 'x-mcp-header': 'REGION' } }),
    properties({ type: 'array', items: wish }),
    { type: 'object', anyOf: [properties(wish)] },
    wish,
  ]) {
    assert.equal(parameterHeaders(schema), undefined, JSON.stringify(schema));
  }
});

test('a value that no header can carry goes in base64, and comes back as it was', () => {
  for (const text of ['us-west1', 'Hello, 世界', ' padded ', 'line1\nline2', '=?base64?literal?=', '']) {
    assert.equal(decodeHeader(encodeHeader(text)), text);
  }
  assert.equal(encodeHeader('us-west1'), 'us-west1');
  assert.equal(encodeHeader('=?base64?literal?='), '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=');
  assert.equal(decodeHeader('=?base64?!?='), undefined);
});
