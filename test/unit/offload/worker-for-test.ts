import { codeLoader } from '../../../src/core/code-loader.ts';
import { implement, taskRunner } from '../../../src/offload/tasks.ts';
import { blockTask, echoTask, endTask, loadTask, throwTask } from './tasks-for-test.ts';

export default taskRunner([
  implement(echoTask, (bytes) => bytes),
  implement(throwTask, (message) => {
    throw new Error(message);
  }),
  implement(endTask, () => {
    process.exit(1);
  }),
  implement(blockTask, (milliseconds) => {
    const until = performance.now() + milliseconds;
    while (performance.now() < until);
    return milliseconds;
  }),
  implement(loadTask, (buffer) => {
    const progress = new Int32Array(buffer);
    Reflect.set(globalThis, 'progress', progress);
    codeLoader(import.meta.url)('./slow-code-for-test');
    return progress[0]!;
  }),
]);
