import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { openapiJson } from '../../../src/operator/openapi.ts';
import { dialects, PASSED_AT } from '../../../src/plugs.ts';
import { root } from '../../support/pages.ts';
import { noReferenceDocument, referenceDocument } from '../../support/recordings.ts';

const DIALECTS = dialects();

/* Whatever the reference document describes, ours describes at least as widely. */

type Node = { readonly [key: string]: Node } | readonly Node[] | string | number | boolean | null | undefined;
type Tree = { readonly [key: string]: Node };

const isTree = (node: Node): node is Tree => typeof node === 'object' && node !== null && !Array.isArray(node);
const treeOf = (node: Node): Tree => (isTree(node) ? node : {});
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const ours: Node = JSON.parse((await openapiJson(DIALECTS)).toString());

/** What a reference leads to. */
function resolved(node: Node, document: Node): Node {
  const reference = treeOf(node)['$ref'];
  if (typeof reference !== 'string') return node;
  const keys = reference.slice(2).split('/');
  return resolved(
    keys.reduce<Node>((at, key) => treeOf(at)[key], document),
    document,
  );
}

function operationsOf(document: Node): Map<string, Tree> {
  const all = new Map<string, Tree>();
  for (const [path, operations] of Object.entries(treeOf(treeOf(document)['paths']))) {
    for (const method of METHODS) {
      const operation = treeOf(operations)[method];
      if (operation !== undefined) all.set(`${method.toUpperCase()} ${path}`, treeOf(operation));
    }
  }
  return all;
}

/** The forms that a schema allows. */
function formsOf(schema: Node, document: Node): Tree[] {
  const tree = treeOf(resolved(schema, document));
  const several = [tree['oneOf'], tree['anyOf']].find((each) => Array.isArray(each)) as readonly Node[] | undefined;
  return several === undefined ? [tree] : several.flatMap((each) => formsOf(each, document));
}

/** Where ours allows less than theirs, or says less. */
function narrower(theirs: Node, mine: Node, document: Node, where: string): string[] {
  const faults: string[] = [];
  const mineForms = formsOf(mine, ours);
  for (const form of formsOf(theirs, document)) {
    const able = mineForms.filter(
      ({ type }) => type === undefined || form['type'] === undefined || type === form['type'],
    );
    if (able.length === 0) {
      faults.push(`${where}: no ${form['type']}`);
      continue;
    }
    for (const [name, property] of Object.entries(treeOf(form['properties']))) {
      const same = able.map((each) => treeOf(each['properties'])[name]).find((each) => each !== undefined);
      // What may hold anything holds this, too, where nothing more is said of it.
      const isFree = able.some((each) => each['properties'] === undefined);
      if (same !== undefined) faults.push(...narrower(property, same, document, `${where}.${name}`));
      else if (!isFree) faults.push(`${where}.${name} is missing`);
    }
    const required = form['required'];
    for (const each of able) {
      for (const name of Array.isArray(each['required']) ? each['required'] : []) {
        // In answers what is always there may be more.
        if (!where.includes('→') && Array.isArray(required) && !required.includes(name)) {
          faults.push(`${where} wants ${name}`);
        }
      }
    }
    const values = form['enum'];
    if (Array.isArray(values)) {
      const mineValues = able.flatMap((each) => (Array.isArray(each['enum']) ? each['enum'] : values));
      for (const value of values) if (!mineValues.includes(value)) faults.push(`${where}: not ${value}`);
    }
    const items = form['items'];
    const lists = able.map((each) => each['items']).filter((each) => each !== undefined);
    if (items !== undefined && lists.length > 0) {
      const each = lists.map((list) => narrower(items, list, document, `${where}[]`));
      if (each.every((list) => list.length > 0)) faults.push(...each[0]!);
    }
  }
  return faults;
}

test('every operation of the reference document is in ours', () => {
  const fixture: string[] = JSON.parse(readFileSync(join(root, 'test/fixtures/openapi/operations.json'), 'utf8'));
  const mine = operationsOf(ours);
  for (const operation of fixture) assert.ok(mine.has(operation), operation);
});

test('every route of a dialect, and every path that passes, is in the document', () => {
  const mine = operationsOf(ours);
  for (const { routes } of DIALECTS) {
    for (const { method, pattern } of routes) assert.ok(mine.has(`${method} ${pattern}`), `${method} ${pattern}`);
  }
  for (const pattern of PASSED_AT.keys()) {
    assert.ok(mine.has(`POST ${pattern.replace('{*path}', '{path}')}`), pattern);
  }
});

describe('our document is at least as wide as the reference document', { skip: noReferenceDocument }, () => {
  const theirs: Node = noReferenceDocument === false ? parse(readFileSync(referenceDocument, 'utf8')) : {};
  const mine = operationsOf(ours);
  for (const [name, operation] of operationsOf(theirs)) {
    test(`${name} has its parameters, bodies and answers`, () => {
      const same = mine.get(name) ?? {};
      const parameters = (of: Tree, document: Node) =>
        (Array.isArray(of['parameters']) ? of['parameters'] : []).map((each) => treeOf(resolved(each, document)));
      for (const { name: parameter, in: place, schema } of parameters(operation, theirs)) {
        const own = parameters(same, ours).find((each) => each['name'] === parameter && each['in'] === place);
        assert.ok(own, `${place} ${parameter}`);
        assert.deepEqual(narrower(schema, own['schema'], theirs, String(parameter)), []);
      }
      const contents = (of: Node, document: Node) => treeOf(treeOf(resolved(of, document))['content']);
      for (const [type, content] of Object.entries(contents(operation['requestBody'], theirs))) {
        const own = contents(same['requestBody'], ours)[type];
        assert.ok(own, type);
        assert.deepEqual(narrower(treeOf(content)['schema'], treeOf(own)['schema'], theirs, 'asked'), []);
      }
      for (const [status, answer] of Object.entries(treeOf(operation['responses']))) {
        const own = treeOf(same['responses'])[status];
        assert.ok(own, status);
        for (const [type, content] of Object.entries(contents(answer, theirs))) {
          const shown: Node = contents(own, ours)[type];
          assert.ok(shown, `${status} ${type}`);
          assert.deepEqual(narrower(treeOf(content)['schema'], treeOf(shown)['schema'], theirs, `→ ${status}`), []);
        }
      }
    });
  }
});
