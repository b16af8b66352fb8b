/** What guards cost on streams: the same paced streams through a gateway with token-local guards and through one without. */
import type { Scenario } from '../scenario.ts';
import { chatPaced } from './chat-paced.ts';

export const guards: Scenario = {
  ...chatPaced,
  name: 'guards',
  summary: 'streams of 100 events, 25 ms apart, guarded for secrets, and for all personal data besides, against none',
  rounds: 5,
};

/** Side by side, unless the command names others. */
export const GUARDS_SUBJECTS = ['sluice-plain', 'sluice-secrets', 'sluice-guarded'];
