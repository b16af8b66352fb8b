import { EXCEPTION } from '../../codec/aws-event-stream.ts';
import { parseObject, stringOf } from '../../codec/json-value.ts';
import type { GatewayError } from '../../core/errors.ts';
import { awsError } from '../base/aws-error.ts';
import { toError as toContainerError } from '../openai-compatible/to-error.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { Target, Wire } from '../provider.ts';

/**
 * A model in a container of SageMaker that speaks OpenAI's chat, as vLLM's and those of DJL do. Its endpoint stands in
 * the path, and its streams come in frames of AWS, which cut events and characters anywhere.
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream.html
 */
export const openAiOnSageMakerWire: Wire = {
  ...openAiChatWire,
  name: 'openai-on-sagemaker',
  // The front door passes no header on to the container.
  forwards: [],
  path: ({ modelId }, { stream }) =>
    `/endpoints/${encodeURIComponent(modelId)}/${stream ? 'invocations-response-stream' : 'invocations'}`,
  toError,
  envelope: { form: 'openai-chat', unpack },
};

function unpack(event: string | undefined, payload: Buffer): Buffer | undefined {
  if (event === 'PayloadPart') return Buffer.from(payload);
  if (!event?.startsWith(EXCEPTION)) return undefined;
  const said = parseObject(payload.toString('utf8'));
  const message = stringOf(said?.['Message']) ?? stringOf(said?.['message']) ?? 'The stream of its model failed.';
  const type = event.slice(EXCEPTION.length);
  const code = stringOf(said?.['ErrorCode']) ?? type;
  // Whatever was cut before it ends here, so that it is an event of its own.
  return Buffer.from(`\n\ndata: ${JSON.stringify({ error: { message, type, code } })}\n\n`);
}

/** SageMaker's own words, or those of the container, whose status it tells beside them. */
function toError(status: number | undefined, body: Buffer, target: Target): GatewayError {
  const said = parseObject(body.toString('utf8'));
  const container = said?.['OriginalStatusCode'];
  if (typeof container === 'number') {
    const words = stringOf(said?.['OriginalMessage']) || (stringOf(said?.['Message']) ?? '');
    return toContainerError(container, Buffer.from(words), target);
  }
  return status === undefined ? toContainerError(statusInStream(said), body, target) : awsError(status, body, target);
}

/** A failure within a stream: both kinds are the fault of who serves, and the second may be over at once. */
function statusInStream(said: ReturnType<typeof parseObject>): number | undefined {
  const type = stringOf(Object(said?.['error'])?.['type']);
  const code = stringOf(Object(said?.['error'])?.['code']);
  if (code === 'ModelInvocationTimeExceeded') return 504;
  return type === 'ModelStreamError' || type === 'InternalStreamFailure' ? 502 : undefined;
}
