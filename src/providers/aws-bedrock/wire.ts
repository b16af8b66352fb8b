import { awsError } from '../base/aws-error.ts';
import type { Wire } from '../provider.ts';
import { eventReader } from './from-event.ts';
import { fromResponse } from './from-response.ts';
import { toRequest } from './to-request.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html */
export const bedrockConverseWire: Wire = {
  name: 'bedrock-converse',
  operation: 'chat',
  framing: 'aws-event-stream',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  // Model ids hold `:` and, where they are ARNs, `/`.
  path: ({ modelId }, { stream }) => `/model/${encodeURIComponent(modelId)}/${stream ? 'converse-stream' : 'converse'}`,
  toUsage,
  toError: awsError,
  // It reads from s3:// alone.
  translation: { toRequest, fromResponse, eventReader, takesBytesAlone: () => true },
};
