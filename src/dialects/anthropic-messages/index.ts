import type { Dialect } from '../dialect.ts';
import { answerForm } from './answer-form.ts';
import { answerText } from './answer-text.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { eventWriter } from './event-writer.ts';
import { exercise } from './exercise.ts';
import { followStream } from './follow-stream.ts';
import { fromInference } from './from-inference.ts';
import { guarded } from './guarded.ts';
import { modelList } from './model-list.ts';
import { MessagesScan } from './peek.ts';
import { promptText } from './prompt-text.ts';
import { splice } from './splice.ts';
import { toInference } from './to-inference.ts';

/** The form's own filler of silence: its SDKs skip it. */
const KEEP_ALIVE = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');
/** What Claude Code says of where a request belongs, and the keys of metadata under which rules and ledger see it. */
const METADATA_HEADERS = { 'x-claude-code-session-id': 'session_id', 'x-claude-code-agent-id': 'agent_id' };

/** Anthropic's Messages: https://platform.claude.com/docs/en/api/messages */
export const anthropicMessages = {
  name: 'anthropic-messages',
  operation: 'messages',
  routes: [{ method: 'POST', pattern: '/messages' }],
  openapi: async () => (await import('./openapi.ts')).created,
  usageParameter: undefined,
  scan: () => new MessagesScan(),
  splice,
  answers: answerForm,
  promptText,
  answerText,
  translation: { to: ['messages', 'chat'], toInference, fromInference, eventWriter },
  followStream,
  keepAlive: KEEP_ALIVE,
  modelList,
  cached: {
    leaveOut: ['metadata'],
    attribution: { key: 'system', begins: 'x-anthropic-billing-header:' },
    unfinished: ['"refusal"', '"pause_turn"'],
    turns: 'messages',
  },
  metadataHeaders: METADATA_HEADERS,
  guarded,
  exercise,
  errorBody,
  errorEvent,
} satisfies Dialect;
