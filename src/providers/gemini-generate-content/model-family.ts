/**
 * How a Gemini model takes a wish for reasoning, read from its name: 2.5 takes a budget of tokens, 3 and later a level,
 * older ones and Gemma nothing. https://ai.google.dev/gemini-api/docs/thinking
 */
export interface ModelFamily {
  readonly thinking: 'none' | 'budget' | 'level';
  /** The least budget; 0: thinking can be switched off. */
  readonly minBudgetTokens: number;
  readonly maxBudgetTokens: number;
  /** The least level. */
  readonly lowestLevel: 'minimal' | 'low';
  /** Function calls of the current turn are refused when they come back without their signature. */
  readonly needsSignatures: boolean;
}

const VERSION = /gemini-(\d+)(?:\.(\d+))?/;

export function modelFamily(modelId: string): ModelFamily {
  const match = VERSION.exec(modelId.toLowerCase());
  const major = match?.[1] === undefined ? 0 : Number(match[1]);
  const minor = Number(match?.[2] ?? 0);
  const pro = modelId.includes('pro');
  const thinks = major >= 3 ? 'level' : major === 2 && minor >= 5 ? 'budget' : 'none';
  return {
    thinking: /image|tts|embedding|live/.test(modelId) && major < 3 ? 'none' : thinks,
    minBudgetTokens: pro ? 128 : 0,
    maxBudgetTokens: pro ? 32_768 : 24_576,
    lowestLevel: pro ? 'low' : 'minimal',
    needsSignatures: major >= 3,
  };
}
