import assert from 'node:assert/strict';
import { AnswerHead } from '../../src/upstream/answer-head.ts';
import { HeadLines } from '../../src/upstream/head-lines.ts';
import { subjectOf, task } from '../harness/subject.ts';

const LENGTHS = [691, 702, 688, 1_040];

export const inputs = {
  /** Heads of whole answers, as a provider behind a load balancer begins them. */
  heads: LENGTHS.map((length, index) =>
    Buffer.from(
      [
        'HTTP/1.1 200 OK',
        'Date: Sun, 29 Nov 2026 21:13:08 GMT',
        'Content-Type: application/json',
        `Content-Length: ${length}`,
        'Connection: keep-alive',
        `x-request-id: req_0123456789abcde${index}`,
        'x-ratelimit-remaining-requests: 9999',
        'openai-version: 2020-10-01',
        'Server: cloudflare',
        '\r\n',
      ].join('\r\n'),
    ),
  ),
};

const head = new AnswerHead();
const lines = new HeadLines();

export const subject = subjectOf([
  task({
    name: 'read the head of a whole answer',
    operations: LENGTHS.length,
    run: () => inputs.heads.map((bytes) => head.parse(bytes, 0, bytes.length, lines) + head.length),
    check: (ends) => {
      assert.deepEqual(
        ends,
        inputs.heads.map(({ length }, index) => length + LENGTHS[index]!),
      );
      assert.ok(head.keepsAlive);
    },
  }),
]);
