import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTENT_CHUNKS, chatEvents } from '../../../bench/inputs/chat-answer.ts';
import { bytesOf, imageRequest, quotedRequest, smallRequest } from '../../../bench/inputs/chat-request.ts';
import { pieces } from '../../../bench/inputs/pieces.ts';

test('bench inputs are as large as their names say', () => {
  const small = bytesOf(smallRequest()).length;
  assert.ok(small > 700 && small < 900, `${small}`);
  const image = bytesOf(imageRequest()).length;
  assert.ok(image > 1_300_000 && image < 1_400_000, `${image}`);
});

test('the bench text full of quotes has an escaped quote in every eight bytes', () => {
  const body = bytesOf(quotedRequest());
  const quotes = body.toString().split('\\"').length - 1;
  assert.ok(quotes * 8 > body.length, `${quotes} in ${body.length}`);
});

test('a bench stream has a role, a hundred pieces, a finish, a usage where it was asked for, and an end', () => {
  assert.equal(chatEvents('with usage').length, CONTENT_CHUNKS + 4);
  assert.equal(chatEvents('without usage').length, CONTENT_CHUNKS + 3);
  const said = (events: Buffer[]): boolean => Buffer.concat(events).includes('"usage":{');
  assert.deepEqual([said(chatEvents('with usage')), said(chatEvents('without usage'))], [true, false]);
});

test('the pieces of a bench input are the same bytes as the whole', () => {
  const bytes = Buffer.from('0123456789');
  assert.deepEqual(Buffer.concat(pieces(bytes, 3)), bytes);
  assert.deepEqual(
    pieces(bytes, 3).map((piece) => piece.length),
    [3, 3, 3, 1],
  );
});
