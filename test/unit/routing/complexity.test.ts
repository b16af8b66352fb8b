import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complexityOf } from '../../../src/routing/complexity.ts';
import { TierMemory } from '../../../src/routing/tier-memory.ts';

const chat = (...contents: string[]): Buffer =>
  Buffer.from(JSON.stringify({ messages: contents.map((content) => ({ role: 'user', content })) }));

test('small talk is simple, a comparison with code is medium, and a proof with code is complex', () => {
  assert.equal(complexityOf(chat('hello there')), 'simple');
  assert.equal(complexityOf(chat('what does ```f(x)``` do')), 'medium');
  assert.equal(complexityOf(chat('prove step by step that ```f(x)``` ends')), 'complex');
});

test('a conversation that goes on is never of a lower tier than before, however long it becomes', () => {
  const contents = ['prove step by step that ```f(x)``` ends'];
  for (let turn = 0; turn < 60; turn += 1) {
    assert.equal(complexityOf(chat(...contents)), 'complex', `after ${turn} turns`);
    contents.push('thanks, and how was your day? '.repeat(60));
  }
});

test('a verdict of a classifier is known to every thread, and nothing of other texts', () => {
  const memory = new TierMemory();
  memory.set('one', 'medium');
  const beside = new TierMemory(memory.buffer);
  assert.deepEqual([beside.get('one'), beside.get('two')], ['medium', undefined]);
  beside.set('one', 'complex');
  assert.equal(memory.get('one'), 'complex');
});
