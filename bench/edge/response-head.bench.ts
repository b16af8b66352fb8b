import assert from 'node:assert/strict';
import { joinHead, statusLine } from '../../src/edge/response-head.ts';
import { subjectOf, task } from '../harness/subject.ts';

const plain = [
  ['content-type', 'application/json'],
  ['x-request-id', 'ex_mdz1k2ab0123456789ab1z'],
  ['x-sluice-exchange-id', 'ex_mdz1k2ab0123456789ab1z'],
  ['x-tfy-resolved-model', 'openai-main/gpt-4o'],
  ['server-timing', 'gateway;dur=0.142, upstream;dur=211.93'],
];
const limits = [
  'limit-requests',
  'limit-tokens',
  'remaining-requests',
  'remaining-tokens',
  'reset-requests',
  'reset-tokens',
];

export const inputs = {
  plain: plain.flat(),
  /** What OpenAI adds to it. */
  withLimits: [
    ...plain,
    ...limits.map((name) => [`x-ratelimit-${name}`, '29999']),
    ['x-upstream-request-id', 'req_0123456789abcdef0123456789abcdef'],
  ].flat(),
  /** A provider's value that would end the header and begin another. */
  injecting: ['content-type', 'application/json', 'x-upstream-request-id', 'a\r\nset-cookie: b=c'],
};

export const subject = subjectOf([
  task({
    name: 'five headers of an answer',
    run: () => joinHead(inputs.plain),
    check: (head) => assert.equal(head, expected(inputs.plain)),
  }),
  task({
    name: 'twelve, with the rate headers of a provider',
    run: () => joinHead(inputs.withLimits),
    check: (head) => assert.equal(head, expected(inputs.withLimits)),
  }),
  task({
    name: 'a header that tries to inject another',
    run: () => joinHead(inputs.injecting),
    check: (head) => assert.equal(head, 'application/json\r\nx-upstream-request-id: aset-cookie: b=c'),
  }),
  task({ name: 'status line', run: () => statusLine(200), check: (line) => assert.equal(line, '200 OK') }),
]);

/** All but the first name, which the addon is given apart. */
function expected(headers: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  return lines.join('\r\n').slice(`${headers[0]}: `.length);
}
