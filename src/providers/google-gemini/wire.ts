import { eventReader, fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { toRequest } from './to-request.ts';
import { toUsage } from './to-usage.ts';

/** https://ai.google.dev/api/generate-content */
export const geminiWire = {
  name: 'gemini-generate-content',
  path: (target: { modelId: string }, stream: boolean): string =>
    `/models/${target.modelId}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  toUsage,
  toError,
  translation: { toRequest, fromResponse, eventReader },
};
