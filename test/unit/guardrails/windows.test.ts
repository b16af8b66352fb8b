import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guarded as chatForm } from '../../../src/dialects/openai-chat/guarded.ts';
import type { Guard, GuardQuestion, Verdict } from '../../../src/guardrails/guard.ts';
import { guardConfig, openFilter, openSession } from './guarded.ts';

const chunk = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
const END = 'data: [DONE]\n\n';
const SENTENCE = `${'word '.repeat(90)}end. `;
const BAD = 'a very FORBIDDEN thing';

interface Asked {
  readonly text: string;
  answer(verdict: Verdict): void;
}

function open() {
  const asked: Asked[] = [];
  const check = ({ texts }: GuardQuestion): Promise<Verdict> =>
    new Promise((resolve) => asked.push({ text: texts.map(({ text }) => text).join(), answer: resolve }));
  const guard: Guard = { config: guardConfig({ kind: 'custom', operation: 'validate' }), check };
  const session = openSession({ guards: [guard], onStreams: 'window', timeoutMs: 10_000 });
  return { asked, ...openFilter(session, chatForm, true) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const judge = ({ text }: Asked): Verdict =>
  text.includes('FORBIDDEN') ? { result: 'failed', message: 'no' } : { result: 'passed' };

test('a window of a stream leaves once it has passed, before the stream has ended', async () => {
  const { asked, filter, host } = open();
  filter.write(Buffer.from(chunk('Short. ')));
  assert.deepEqual([asked.length, host.writtenBytes], [0, 0]);
  filter.write(Buffer.from(chunk(SENTENCE)));
  await turn();
  assert.equal(asked.length, 1);
  assert.equal(host.writtenBytes, 0);
  filter.write(Buffer.from(chunk('more')));
  asked[0]!.answer({ result: 'passed' });
  await turn();
  assert.equal(host.output().toString(), chunk('Short. ') + chunk(SENTENCE));
  filter.finish(Buffer.from(END));
  await turn();
  // With the end of the window before it.
  assert.ok(asked[1]!.text.endsWith('word end. more') && asked[1]!.text.length === 104, asked[1]!.text);
  asked[1]!.answer({ result: 'passed' });
  await turn();
  assert.equal(host.output().toString(), chunk('Short. ') + chunk(SENTENCE) + chunk('more') + END);
  assert.ok(host.finished);
});

test('nothing of a window that is refused leaves, and words that lie over two windows are seen together', async () => {
  for (let cut = 1; cut < BAD.length; cut += 1) {
    const { asked, filter, host } = open();
    const pieces = [SENTENCE, `${'x '.repeat(420)}${BAD.slice(0, cut)}`, `${BAD.slice(cut)} behind`];
    for (const piece of pieces) {
      filter.write(Buffer.from(chunk(piece)));
      for (let round = 0; round < 3; round += 1) {
        await turn();
        for (const each of asked.splice(0)) each.answer(judge(each));
      }
    }
    filter.finish(Buffer.from(END));
    while (!host.finished && host.error === undefined) {
      await turn();
      for (const each of asked.splice(0)) each.answer(judge(each));
    }
    assert.equal(host.error?.code, 'guardrail_blocked', `cut ${cut}`);
    assert.ok(!host.output().toString().includes('FORBIDDEN'), `cut ${cut}`);
    assert.ok(host.output().toString().includes('word end.'));
  }
});

test('a provider that is faster than the guard of its windows is paused, and goes on behind the verdict', async () => {
  const { asked, filter, host } = open();
  filter.write(Buffer.from(chunk(SENTENCE)));
  for (let round = 0; round < 200; round += 1) filter.write(Buffer.from(chunk(SENTENCE)));
  await turn();
  assert.deepEqual([asked.length, host.pauses], [1, 1]);
  asked.splice(0)[0]!.answer({ result: 'passed' });
  await turn();
  asked.splice(0)[0]!.answer({ result: 'passed' });
  await turn();
  assert.equal(host.pauses, 0);
});

test('events without words pass at once where no words wait', () => {
  const { filter, host } = open();
  const role = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] })}\n\n`;
  filter.write(Buffer.from(role));
  assert.equal(host.output().toString(), role);
});
