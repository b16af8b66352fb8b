import type { Wire } from '../provider.ts';
import { eventReader, fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { takesBytesAlone } from './to-parts.ts';
import { toRequest } from './to-request.ts';
import { toUsage } from './to-usage.ts';

/** https://ai.google.dev/api/generate-content */
export const geminiWire: Wire = {
  name: 'gemini-generate-content',
  operation: 'chat',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: [],
  path: ({ modelId }, { stream }) =>
    `/${modelId.includes('/') ? modelId : `models/${modelId}`}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  toUsage,
  toError,
  translation: { toRequest, fromResponse, eventReader, takesBytesAlone },
};
