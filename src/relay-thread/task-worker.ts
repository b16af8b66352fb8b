import { GatewayError } from '../core/errors.ts';
import { implement, taskRunner } from '../offload/tasks.ts';
import { DIALECTS, FORMS, WIRES } from '../plugs.ts';
import {
  type TranslateInput,
  type TranslateOutput,
  translateRequest,
  translateRequestTask,
} from '../relay/request-translation.ts';
import { estimateTokens, estimateTokensTask } from '../usage/estimate-task.ts';

/** The entry of the task pool's threads: every task and the function that does it. */
export default taskRunner([
  implement(estimateTokensTask, (input) => estimateTokens(input, FORMS)),
  implement(translateRequestTask, translate),
]);

function translate(input: TranslateInput): TranslateOutput {
  const from = DIALECTS.find((each) => each.name === input.dialect)?.translation;
  const to = WIRES.find((each) => each.name === input.wire)?.translation;
  if (!from || !to) throw new Error(`nothing translates ${input.dialect} to ${input.wire}`);
  const body = Buffer.from(input.body.buffer, input.body.byteOffset, input.body.byteLength);
  const made = translateRequest(from, to, input.target, body);
  if (!(made instanceof GatewayError)) return { body: made.body, headers: made.headers, path: made.path };
  const { cause: _thrown, ...context } = made.context;
  return { code: made.code, context };
}
