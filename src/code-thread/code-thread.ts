import { parentPort } from 'node:worker_threads';
import type { FromCodeThread, ToCodeThread } from '../threads/code-messages.ts';
import { CodeRun, compileSandbox } from './sandbox.ts';

/** A thread that runs code of models, one piece at a time: a loop without end blocks nobody but itself. */
const port = parentPort!;
const send = (message: FromCodeThread): void => port.postMessage(message);

let run: CodeRun | undefined;
const compiling = compileSandbox();

port.on('message', async (message: ToCodeThread) => {
  if (message.type === 'answer') {
    run?.answer(message.call, message);
    return;
  }
  const { code, bounds } = message;
  run = await CodeRun.make(await compiling, {
    bounds,
    call: (call, tool, args) => send({ type: 'call', call, tool, args }),
    onOver: (outcome) => {
      run = undefined;
      send({ type: 'over', outcome });
    },
  });
  run.begin(code);
});
