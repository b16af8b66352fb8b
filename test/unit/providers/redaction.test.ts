import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountToken } from '../../../src/core/account-token.ts';
import { allPlugs, wiresOf } from '../../../src/plugs.ts';
import { headerCredential } from '../../../src/providers/base/credential.ts';
import { mountAt, mountsOf } from '../../../src/providers/base/mount.ts';
import { redaction, secretsOf } from '../../../src/providers/base/redaction.ts';
import { tokenCredential } from '../../../src/providers/base/token-credential.ts';
import { exampleTarget } from '../../support/targets.ts';

const PLUGS = allPlugs();
const WIRES = wiresOf(PLUGS);

const KEY = 'sk-upstream-SECRET/4711"x';

test('the secrets of headers are keys without their scheme, passwords, and whatever looks like a token', () => {
  assert.deepEqual(secretsOf(['authorization', `Bearer ${KEY}`]), [KEY]);
  assert.deepEqual(secretsOf(['authorization', 'Token abc-1']), ['abc-1']);
  assert.deepEqual(secretsOf(['x-api-key', KEY]), [KEY]);
  const basic = Buffer.from('me:p w').toString('base64');
  assert.deepEqual(secretsOf(['authorization', `Basic ${basic}`]), [basic, 'p w']);
  assert.deepEqual(secretsOf(['x-anything', '0123456789abcdef0123']), ['0123456789abcdef0123']);
  assert.deepEqual(secretsOf(['x-team', 'search', 'anthropic-version', '2023-06-01']), []);
});

test('a secret is taken out whole, and so is every beginning of it of eight characters or more', () => {
  const redact = redaction([KEY]);
  assert.equal(redact(`bad key ${KEY}, sorry`), 'bad key [redacted], sorry');
  assert.equal(redact(`${KEY}${KEY}`), '[redacted][redacted]');
  for (let length = 8; length < KEY.length; length += 1) {
    assert.equal(redact(`(${KEY.slice(0, length)}****)`), '([redacted]****)', String(length));
  }
  assert.equal(redact('keys begin with sk-up'), 'keys begin with sk-up');
  const untouched = 'nothing of it';
  assert.equal(redact(untouched), untouched);
});

test('a secret is found as JSON and as an address write it', () => {
  const redact = redaction([KEY]);
  assert.ok(!redact(JSON.stringify({ echoed: KEY })).includes('SECRET'));
  assert.ok(!redact(`https://p.example/?key=${encodeURIComponent(KEY)}`).includes('SECRET'));
});

test('a piece of a secret of twelve characters or more is taken out, in whatever case', () => {
  const redact = redaction([KEY]);
  for (let at = 0; at + 12 <= KEY.length; at += 1) {
    for (const piece of [KEY.slice(at, at + 12), KEY.slice(at), KEY.slice(at).toUpperCase()])
      assert.equal(redact(`(${piece})`), '([redacted])', piece);
  }
  assert.equal(redact('the upstream has no SECRET'), 'the upstream has no SECRET');
});

test('both ends of a secret whose middle is masked are taken out', () => {
  const redact = redaction([KEY]);
  for (const masked of ['sk-…1"x', 'sk-u****711"x', 'sk-...4711"x', 'sk-upstream-••••"x', 'sk-upstrXXXXX11"x']) {
    assert.equal(redact(`(${masked}) ...`), '([redacted]) ...', masked);
  }
  assert.equal(redact('wait...more than a ***star***'), 'wait...more than a ***star***');
});

test('a secret is found in base64, at whatever place, and in hexadecimal digits', () => {
  const redact = redaction([KEY]);
  for (const before of ['', 'a', 'ab', 'Bearer ']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const text = redact(Buffer.from(`${before}${KEY}, `).toString(encoding));
      assert.match(text, /^\S{0,12}\[redacted\]\S{0,6}$/, before);
    }
  }
  assert.equal(redact(Buffer.from(KEY).toString('hex').toUpperCase()), '[redacted]');
});

test('a secret that holds another is taken out whole', () => {
  assert.equal(redaction(['abcdefgh', 'xx-abcdefgh-yy'])('xx-abcdefgh-yy abcdefgh'), '[redacted] [redacted]');
});

test('a secret of under four characters is a word like others, one of under eight is found whole', () => {
  assert.equal(redaction(['abc'])('abc'), 'abc');
  assert.equal(redaction(['up-key'])('your up-key, not up-ke'), 'your [redacted], not up-ke');
});

test('the newest two tokens of a credential are taken out', () => {
  const tokens = new Map<string, AccountToken>();
  const credential = tokenCredential({ tokens, id: 'a', account: 'main' }, () => []);
  for (const token of ['token-one', 'token-two']) {
    tokens.set('a', { id: 'a', values: { token }, expiresAtMs: Date.now() + 60_000 });
    credential.sign({ method: 'POST', origin: '', path: '/', headers: [], body: undefined });
  }
  assert.equal(credential.redact('token-one, token-two'), '[redacted], [redacted]');
});

test('no wire lets a provider’s words bring a credential back, whatever status and field they stand in', () => {
  assert.ok(PLUGS.length > 0 && WIRES.length > 0);
  for (const wire of WIRES) {
    const credential = headerCredential(['x-api-key', KEY]);
    const mounts = mountsOf([mountAt({ wire, url: 'https://provider.example', credential })]);
    for (const status of [302, 400, 401, 402, 403, 404, 409, 413, 415, 418, 422, 429, 500, 503, 529]) {
      for (const body of [
        { error: { message: `bad key ${KEY}`, type: KEY, code: KEY, param: KEY } },
        { type: 'error', error: { type: 'authentication_error', message: `x-api-key ${KEY.slice(0, 12)}…` } },
        { detail: [{ loc: ['header', KEY], msg: KEY }] },
        `plain text with ${KEY}`,
      ]) {
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const error = wire.toError(status, Buffer.from(text), { ...exampleTarget, mounts });
        assert.ok(!JSON.stringify(error.context).includes('SECRET'), `${wire.name} ${status} ${text}`);
        assert.ok(!JSON.stringify(error.context).includes(KEY.slice(0, 12)), `${wire.name} ${status} ${text}`);
      }
    }
  }
});
