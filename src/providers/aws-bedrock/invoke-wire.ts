import { EXCEPTION } from '../../codec/aws-event-stream.ts';
import { objectOf, parseObject, stringOf } from '../../codec/json-value.ts';
import { KeyRules } from '../../codec/key-rules.ts';
import { BEDROCK_BETAS, knownBetas } from '../anthropic-messages/betas.ts';
import { statusOfType as statusOfAnthropic } from '../anthropic-messages/to-error.ts';
import { toUsage } from '../anthropic-messages/to-usage.ts';
import { awsError } from '../base/aws-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import type { Wire } from '../provider.ts';
import { statusOfType } from './exception-status.ts';

/**
 * Claude's own form on Bedrock, which no translation has to touch: the model stands in the path, version and betas in the
 * body, and the events of a stream in frames of AWS.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
 */
export const claudeOnBedrockWire: Wire = {
  name: 'anthropic-on-bedrock',
  operation: 'messages',
  framing: 'aws-event-stream',
  method: 'POST',
  contentType: 'application/json',
  // They are read for the body, and are no headers there.
  forwards: ['anthropic-beta'],
  forwarded: () => undefined,
  path: ({ modelId }, { stream }) =>
    `/model/${encodeURIComponent(modelId)}/${stream ? 'invoke-with-response-stream' : 'invoke'}`,
  toUsage,
  toError(told, body, target) {
    const { type = '' } = readProviderFault(body);
    // Within a stream either of them may have failed.
    return awsError(told ?? (type.endsWith('_error') ? statusOfAnthropic(type) : statusOfType(type)), body, target);
  },
  envelope: {
    form: 'anthropic-messages',
    requests: {
      without: new KeyRules(
        ['model', 'stream', 'anthropic_version', 'anthropic_beta', 'service_tier'].map((key) => ({ key, drop: 'all' })),
      ),
      pairs(client) {
        const betas = knownBetas(client['anthropic-beta'], BEDROCK_BETAS);
        const version = '"anthropic_version":"bedrock-2023-05-31"';
        return betas.length === 0 ? version : `${version},"anthropic_beta":${JSON.stringify(betas)}`;
      },
    },
    unpack,
  },
};

/** A frame of the type `chunk` holds one event as base64 of its JSON. */
function unpack(event: string | undefined, payload: Buffer): Buffer | undefined {
  const value = parseObject(payload.toString('utf8'));
  if (event?.startsWith(EXCEPTION)) {
    const message = stringOf(value?.['originalMessage']) ?? stringOf(value?.['message']) ?? 'It gave no reason.';
    return written('error', JSON.stringify({ type: 'error', error: { type: event.slice(EXCEPTION.length), message } }));
  }
  const bytes = stringOf(value?.['bytes']);
  if (bytes === undefined) return undefined;
  const json = Buffer.from(bytes, 'base64').toString('utf8');
  const type = stringOf(objectOf(parseObject(json))?.['type']);
  return type === undefined ? undefined : written(type, json);
}

function written(type: string, json: string): Buffer {
  return Buffer.from(`event: ${type}\ndata: ${json}\n\n`);
}
