import { searchVectors, searchVectorsTask } from '../cache/shared-vectors.ts';
import { GatewayError } from '../core/errors.ts';
import { checkTextsTask, scanTextsTask } from '../guardrails/elsewhere.ts';
import { guardCode } from '../guardrails/guard-code.ts';
import { implement, taskRunner } from '../offload/tasks.ts';
import { dialects, wireNamed } from '../plugs.ts';
import {
  type MakeAnswerInput,
  type MakeAnswerOutput,
  makeAnswer,
  makeAnswerTask,
} from '../relay/answer-translation.ts';
import { wholeBody } from '../relay/outbound.ts';
import {
  type TranslateInput,
  type TranslateOutput,
  translateRequest,
  translateRequestTask,
} from '../relay/request-translation.ts';
import { estimateTokens, estimateTokensTask } from '../usage/estimate-task.ts';

/** The entry of the task pool's threads: every task and the function that does it. */
export default taskRunner([
  implement(estimateTokensTask, (input) => estimateTokens(input, dialects())),
  implement(translateRequestTask, translate),
  implement(makeAnswerTask, remake),
  implement(searchVectorsTask, searchVectors),
  implement(scanTextsTask, (job) => guardCode().scanTexts(job)),
  implement(checkTextsTask, (job) => guardCode().checkTexts(job)),
]);

function translate(input: TranslateInput): TranslateOutput {
  const from = dialects().find((each) => each.name === input.dialect)?.translation;
  const to = wireNamed(input.wire)?.translation;
  if (!from || !to) throw new Error(`nothing translates ${input.dialect} to ${input.wire}`);
  const body = Buffer.from(input.body.buffer, input.body.byteOffset, input.body.byteLength);
  const { target, cacheMarker, media } = input;
  const made = translateRequest(from, to, target, { body, cacheMarker, media });
  if (made instanceof GatewayError) return plainError(made);
  return { ...made, body: wholeBody(made.body), more: made.more?.map(wholeBody) };
}

function remake({ dialect, wire, context, answer, parts }: MakeAnswerInput): MakeAnswerOutput {
  const form = dialects().find((each) => each.name === dialect);
  if (!form) throw new Error(`nothing speaks ${dialect}`);
  const made = makeAnswer({
    dialect: form,
    wire: wire === undefined ? undefined : wireNamed(wire),
    context,
    parts,
    answer: Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength),
  });
  return made instanceof GatewayError ? plainError(made) : made;
}

function plainError(error: GatewayError) {
  const { cause: _thrown, ...context } = error.context;
  return { code: error.code, context };
}
