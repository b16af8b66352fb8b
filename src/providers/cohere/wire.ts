import type { Wire } from '../provider.ts';
import { eventReader, fromResponse } from './from-event.ts';
import { toError } from './to-error.ts';
import { toRequest } from './to-request.ts';
import { toUsage } from './to-usage.ts';

/** https://docs.cohere.com/reference/chat */
export const cohereChatWire: Wire = {
  name: 'cohere-chat',
  operation: 'chat',
  framing: 'sse',
  method: 'POST',
  contentType: 'application/json',
  forwards: ['x-client-name'],
  path: () => '/v2/chat',
  toUsage,
  toError,
  // It fetches images.
  translation: { toRequest, fromResponse, eventReader, takesBytesAlone: ({ type }) => type === 'file' },
};
