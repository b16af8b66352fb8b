import { objectOf } from '../../codec/json-value.ts';
import type { Usage } from '../../inference/usage.ts';
import type { Wire } from '../provider.ts';
import { toError } from './to-error.ts';
import { toUsage } from './to-usage.ts';

/** The Live API, which names its model in the first message: https://ai.google.dev/api/live */
export const geminiLiveWire: Wire = {
  name: 'gemini-live',
  operation: 'realtime',
  framing: 'none',
  method: 'GET',
  contentType: undefined,
  forwards: [],
  path: () => '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent',
  toUsage: toLiveUsage,
  toError,
};

/** What answers of generateContent call `candidates…` is called `response…` here: https://ai.google.dev/api/live#UsageMetadata */
function toLiveUsage(value: unknown): Usage | undefined {
  const usage = objectOf(value);
  if (usage === undefined) return undefined;
  const { responseTokenCount, responseTokensDetails, ...same } = usage;
  return toUsage({
    ...same,
    ...(responseTokenCount !== undefined && { candidatesTokenCount: responseTokenCount }),
    ...(responseTokensDetails !== undefined && { candidatesTokensDetails: responseTokensDetails }),
  });
}
