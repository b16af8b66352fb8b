import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { LoadGate } from '../../../src/core/load-gate.ts';

/** As the thread that may be stopped has it. */
const other = (gate: LoadGate): LoadGate => new LoadGate(gate.buffer);

test('a thread that loads nothing may be stopped at once, and loads nothing afterwards', async () => {
  const gate = new LoadGate();
  await gate.close();
  assert.throws(() => other(gate).pass(() => 1), /thread that is stopped/);
});

test('a thread may be stopped only after each module that it began to load, and what that imports, is loaded', async () => {
  const gate = new LoadGate();
  const inside = other(gate);
  const order: string[] = [];
  let closed: Promise<void> | undefined;
  const value = inside.pass(() => {
    closed = gate.close().then(() => void order.push('stopped'));
    inside.pass(() => order.push('inner'));
    order.push('outer');
    return 7;
  });
  assert.equal(value, 7);
  await closed;
  assert.deepEqual(order, ['inner', 'outer', 'stopped']);
});

test('code that fails to load leaves the thread free to be stopped', async () => {
  const gate = new LoadGate();
  assert.throws(
    () =>
      other(gate).pass(() => {
        throw new Error('a fault of the code');
      }),
    /a fault of the code/,
  );
  await gate.close();
});

test('the thread that stops another one hears across threads that it has loaded its code', async () => {
  const gate = new LoadGate();
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    const word = new Int32Array(workerData);
    Atomics.store(word, 0, 1);
    parentPort.postMessage('loads');
    setTimeout(() => { Atomics.store(word, 0, 0); Atomics.notify(word, 0); }, 50);
  `;
  const worker = new Worker(source, { eval: true, workerData: gate.buffer });
  await new Promise((resolve) => worker.once('message', resolve));
  await gate.close();
  assert.equal(new Int32Array(gate.buffer)[0], 2);
  await worker.terminate();
});
