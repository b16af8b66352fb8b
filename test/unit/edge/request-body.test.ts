import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBlocks } from '../../../src/edge/body-blocks.ts';
import { RequestBody } from '../../../src/edge/request-body.ts';

/** As the addon gives it: a buffer that is taken back when the callback returns. */
function give(body: RequestBody, text: string): 'ok' | 'too-large' | 'memory-full' {
  const chunk = new Uint8Array(Buffer.from(text));
  const result = body.append(chunk);
  chunk.fill(0x21);
  return result;
}

function collect(declared: number | undefined, most = 1000, room = 1e9) {
  const held: number[] = [];
  const body = new RequestBody(
    declared,
    most,
    {
      holdBody: (bytes) => {
        if (held.reduce((a, b) => a + b, 0) + bytes > room) return false;
        held.push(bytes);
        return true;
      },
    },
    new BodyBlocks(),
  );
  return { body, held };
}

test('body bytes are copied, so that the addon may reuse its own', () => {
  for (const declared of [10, undefined]) {
    const { body } = collect(declared);
    for (const text of ['01', '234', '', '56789']) assert.equal(give(body, text), 'ok');
    assert.equal(body.whole().toString(), '0123456789');
  }
});

test('a declared body is allocated once, and an undeclared one in doubling steps that are all counted', () => {
  const declared = collect(100);
  for (let i = 0; i < 100; i += 1) give(declared.body, 'x');
  assert.deepEqual(declared.held, [100]);
  const undeclared = collect(undefined);
  for (let i = 0; i < 100; i += 1) give(undeclared.body, 'x');
  assert.ok(undeclared.held.length <= 8, 'doubled, not grown byte by byte');
  assert.equal(
    undeclared.body.heldBytes,
    undeclared.held.reduce((a, b) => a + b, 0),
  );
  assert.equal(undeclared.body.heldBytes, undeclared.body.buffer.length);
  assert.equal(undeclared.body.whole().length, 100);
});

test('a body of exactly the bound is taken, and one byte more is too large', () => {
  for (const declared of [1000, undefined]) {
    const { body } = collect(declared);
    assert.equal(give(body, 'x'.repeat(1000)), 'ok');
    assert.equal(give(body, 'x'), 'too-large');
    assert.equal(body.whole().length, 1000);
  }
});

test('a body larger than it was declared is too large', () => {
  const { body } = collect(5);
  assert.equal(give(body, '12345'), 'ok');
  assert.equal(give(body, '6'), 'too-large');
});

test('no body memory is allocated that could not be counted', () => {
  const { body } = collect(undefined, 1000, 8);
  assert.equal(give(body, 'x'.repeat(8)), 'ok');
  assert.equal(give(body, 'x'), 'memory-full');
  assert.equal(body.heldBytes, 8);
  assert.equal(body.whole().length, 8);
});

test('the doubling of body memory stops at the bound', () => {
  const { body, held } = collect(undefined, 100);
  give(body, 'x'.repeat(60));
  give(body, 'x'.repeat(30));
  assert.deepEqual(held, [60, 40]);
});

test('a request without a body has an empty one', () => {
  assert.equal(collect(undefined).body.whole().length, 0);
});
