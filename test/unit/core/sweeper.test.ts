import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SWEEP_MS, Sweeper, type Swept } from '../../../src/core/sweeper.ts';
import { leastMs } from '../growth.ts';

class Item implements Swept {
  sweepIndex = -1;
  sweeps = 0;
  readonly #onSweep: (item: Item) => void;

  constructor(onSweep: (item: Item) => void = () => {}) {
    this.#onSweep = onSweep;
  }

  sweep(): void {
    this.sweeps += 1;
    this.#onSweep(this);
  }
}

function start(t: TestContext): Sweeper {
  t.mock.timers.enable({ apis: ['setInterval'] });
  return new Sweeper();
}

test('the sweeper looks at what was added every SWEEP_MS', (t) => {
  const sweeper = start(t);
  const item = new Item();
  sweeper.add(item);
  assert.equal(item.sweeps, 0);
  t.mock.timers.tick(SWEEP_MS * 3);
  assert.equal(item.sweeps, 3);
});

test('the sweeper no longer looks at what was removed, and removing it again does nothing', (t) => {
  const sweeper = start(t);
  const items = [new Item(), new Item(), new Item()];
  for (const item of items) sweeper.add(item);
  sweeper.remove(items[0]!);
  sweeper.remove(items[0]!);
  assert.equal(sweeper.size, 2);
  t.mock.timers.tick(SWEEP_MS);
  assert.deepEqual(
    items.map((item) => item.sweeps),
    [0, 1, 1],
  );
});

test('an entry that removes itself while it is swept takes no other one’s turn', (t) => {
  const sweeper = start(t);
  const items = Array.from({ length: 5 }, () => new Item((item) => sweeper.remove(item)));
  for (const item of items) sweeper.add(item);
  t.mock.timers.tick(SWEEP_MS);
  assert.ok(items.every((item) => item.sweeps === 1));
  assert.equal(sweeper.size, 0);
});

test('an entry that removes or adds others while it is swept leaves nobody out', (t) => {
  for (let victim = 0; victim < 5; victim += 1) {
    for (let killer = 0; killer < 5; killer += 1) {
      if (victim === killer) continue;
      const sweeper = new Sweeper();
      t.mock.timers.reset();
      t.mock.timers.enable({ apis: ['setInterval'] });
      const items: Item[] = [];
      for (let i = 0; i < 5; i += 1) {
        items.push(
          new Item(() => {
            if (i !== killer || items[killer]!.sweeps > 1) return;
            sweeper.remove(items[victim]!);
            sweeper.add(new Item());
          }),
        );
      }
      for (const item of items) sweeper.add(item);
      t.mock.timers.tick(SWEEP_MS);
      for (const [index, item] of items.entries()) {
        if (index !== victim) assert.ok(item.sweeps >= 1, `${index} was left out: ${killer} removed ${victim}`);
      }
      assert.equal(sweeper.size, 5);
    }
  }
});

test('an idle sweeper has no timer, and gets one again', (t) => {
  const sweeper = start(t);
  const item = new Item((self) => sweeper.remove(self));
  sweeper.add(item);
  t.mock.timers.tick(SWEEP_MS * 2);
  const calls = t.mock.method(globalThis, 'setInterval');
  sweeper.add(item);
  assert.equal(calls.mock.callCount(), 1);
  t.mock.timers.tick(SWEEP_MS);
  assert.equal(item.sweeps, 2);
});

test('thousands of sweeper entries come and go in bounded time', () => {
  const sweeper = new Sweeper();
  const items = Array.from({ length: 100_000 }, () => new Item());
  const ms = leastMs(() => {
    for (const item of items) sweeper.add(item);
    for (const item of items) sweeper.remove(item);
  }, 3);
  assert.ok(ms < 500, `${ms} ms`);
  assert.equal(sweeper.size, 0);
  // Its timer stops itself at the next look.
});

test('an entry whose sweep throws takes no other one’s turn, and what it throws is not lost', (t) => {
  const sweeper = start(t);
  const fault = new Error('a bug');
  const items = [
    new Item(),
    new Item(() => {
      throw fault;
    }),
    new Item(),
  ];
  for (const item of items) sweeper.add(item);
  for (let sweep = 0; sweep < 2; sweep += 1) assert.throws(() => t.mock.timers.tick(SWEEP_MS), fault);
  assert.deepEqual(
    items.map((item) => item.sweeps),
    [2, 2, 2],
  );
});
