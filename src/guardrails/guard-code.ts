import { codeLoader } from '../core/code-loader.ts';
import { madeOnce } from '../core/made-once.ts';

type GuardCode = Pick<typeof import('./guardrails.ts'), 'createGuardrails' | 'outputGuard' | 'messageGuard'> &
  Pick<typeof import('./guarded-input.ts'), 'guardInput' | 'guardParsed'> &
  Pick<typeof import('./guarded-answer.ts'), 'guardBody'> &
  Pick<typeof import('./scan-elsewhere.ts'), 'scanTexts' | 'checkTexts'>;

const load = codeLoader(import.meta.url);

/** All that guards do: loaded with the first configuration that has one. */
export const guardCode = madeOnce(
  (): GuardCode => ({
    ...load('./guardrails'),
    ...load('./guarded-input'),
    ...load('./guarded-answer'),
    ...load('./scan-elsewhere'),
  }),
);
