import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { errorTable } from '../../../scripts/docs/error-table.ts';
import type { ErrorRule } from '../../../src/core/error-rule.ts';
import { ERRORS, type ErrorCode, GatewayError, retryHeaders } from '../../../src/core/errors.ts';

const root = resolve(import.meta.dirname, '../../..');
const rules = Object.entries(ERRORS) as [ErrorCode, ErrorRule][];

function textOf(folder: string, ...except: string[]): string {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !except.some((name) => file.endsWith(name)))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

test('error codes are words in snake case, and each message belongs to one code', () => {
  for (const [code] of rules) assert.match(code, /^[a-z]+(_[a-z]+)*$/);
  assert.equal(new Set(rules.map(([, { message }]) => message)).size, rules.length);
});

test('our own refusals say when to try again, and not to where that takes more than a minute', () => {
  const told = (retryAfterMs: number | undefined, given?: string[]) =>
    retryHeaders(new GatewayError('rate_limited', { retryAfterMs }), given).join(' ');
  assert.equal(told(undefined), '');
  assert.equal(told(0.2), 'retry-after 1 retry-after-ms 1 x-should-retry true');
  assert.equal(told(1_500), 'retry-after 2 retry-after-ms 1500 x-should-retry true');
  assert.equal(told(60_000), 'retry-after 60 retry-after-ms 60000 x-should-retry true');
  assert.equal(told(60_001), 'retry-after 61 retry-after-ms 60001 x-should-retry false');
  assert.equal(told(1_000, ['retry-after', '7']), '', 'the provider’s own word stands');
  assert.equal(told(1_000, ['x-should-retry', 'false']), 'retry-after 1 retry-after-ms 1000');
});

test('error statuses are those of an error, and say whose fault it is', () => {
  for (const [code, { status, blame }] of rules) {
    assert.ok(Number.isInteger(status) && status >= 400 && status <= 599, code);
    if (blame === 'policy') assert.ok(status < 500, code);
    if (blame === 'gateway') assert.ok(status >= 500, code);
    if (blame === 'upstream') assert.ok(status >= 500 || status === 429, code);
    if (blame === 'client') assert.ok(status < 500, code);
  }
});

test('a fault of the client is not tried at another target, except its own first-token timeout', () => {
  for (const [code, { blame, retry }] of rules) {
    if ((blame === 'client' || blame === 'policy') && code !== 'first_token_timeout') {
      assert.equal(retry, 'never', code);
    }
  }
});

test('every error says what it is and what can be done, in sentences', () => {
  for (const [code, { message, remedy }] of rules) {
    assert.match(message, /^[A-Z].*\.$/, code);
    assert.match(remedy, /^[A-Z].*\.$/, code);
    assert.doesNotMatch(message + remedy, /\|/, 'it stands in a table');
  }
});

test('only errors of the gateway or of its accounts are logged loudly', () => {
  for (const [code, { level, blame }] of rules) {
    if (level === 'error') assert.equal(blame, 'gateway', code);
    if (blame === 'client' || blame === 'policy') assert.ok(level === 'info' || level === 'debug', code);
  }
});

test('every setting that a remedy names exists', () => {
  const written = textOf('src/config', 'nothing');
  for (const [code, { remedy }] of rules) {
    for (const [, section, key] of remedy.matchAll(/\b(limits|timeouts)\.([a-z_]+)/g)) {
      assert.ok(written.includes(`${key}:`), `${code}: ${section}.${key}`);
    }
  }
});

test('every error code is raised somewhere in src and named in a test', () => {
  const source = textOf('src', 'errors.ts');
  const tests = textOf('test', 'core/errors.test.ts');
  const isIn = (text: string, code: string) => new RegExp(`['"]${code}['"]`).test(text);
  assert.deepEqual(
    rules.filter(([code]) => !isIn(source, code)).map(([code]) => code),
    [],
    'raised nowhere',
  );
  assert.deepEqual(
    rules.filter(([code]) => !isIn(tests, code)).map(([code]) => code),
    [],
    'named in no test',
  );
});

test('the printed table of errors has a row for every code', () => {
  const rows = errorTable().split('\n').slice(2);
  assert.equal(rows.length, rules.length);
  for (const [index, [code, { status }]] of rules.entries()) {
    assert.ok(rows[index]?.startsWith(`| \`${code}\` | ${status} | `));
    assert.equal(rows[index]?.split(' | ').length, 5);
  }
});

test('an error’s message says what happened, what exactly, and which setting caused it', () => {
  assert.equal(new GatewayError('idle_timeout').message, 'The provider went silent.');
  assert.equal(
    new GatewayError('idle_timeout', { detail: 'For long.', setting: 'timeouts.idle_ms: 5' }).message,
    'The provider went silent. For long. (timeouts.idle_ms: 5)',
  );
});

test('words that lack a full stop get one, so that the remedy behind them is a sentence of its own', () => {
  const of = (detail: string) => new GatewayError('idle_timeout', { detail }).message;
  const { message } = ERRORS.idle_timeout;
  assert.equal(of('boom'), `${message} boom.`);
  assert.equal(of('boom.\n'), `${message} boom.`);
  assert.equal(of('Really? (Yes.)'), `${message} Really? (Yes.)`);
  assert.equal(of('no `x`'), `${message} no \`x\`.`);
});

test('a provider’s verdict stands in its own words, with its own status', () => {
  const error = new GatewayError('upstream_rejected', { detail: 'No such tool.', status: 422 });
  assert.equal(error.message, 'No such tool.');
  assert.equal(error.status, 422);
  assert.equal(error.rule, ERRORS.upstream_rejected);
});

test('an error is a value: it carries no stack, and its cause does not show in its message', () => {
  const error = new GatewayError('connect_failed', { cause: new Error('sk-secret') });
  assert.equal(error instanceof Error, false);
  assert.equal('stack' in error, false);
  assert.doesNotMatch(error.message, /secret/);
});
