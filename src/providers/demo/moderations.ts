import { isArray, isObject, stringOf } from '../../codec/json-value.ts';
import { DemoRefusal, jsonResponder } from './json-responder.ts';
import { wordsOf } from './word-vectors.ts';

/** Words that the demo takes for each of OpenAI's categories: https://platform.openai.com/docs/guides/moderation */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  harassment: ['harass', 'insult'],
  'harassment/threatening': ['threaten'],
  hate: ['hate'],
  'hate/threatening': [],
  illicit: ['steal'],
  'illicit/violent': ['bomb'],
  'self-harm': ['suicide'],
  'self-harm/intent': [],
  'self-harm/instructions': [],
  sexual: ['sex'],
  'sexual/minors': [],
  violence: ['kill', 'murder'],
  'violence/graphic': ['gore'],
};

/** Answers `/moderations` inside the process: by single words, which no real model does. */
export const answerModerations = jsonResponder(({ input }) => {
  const inputs = textsOf(input);
  if (inputs === undefined) return new DemoRefusal('`input` must be a text, texts, or parts with a text or an image.');
  return { id: 'modr-demo', model: 'demo/moderation', results: inputs.map(resultOf) };
});

function resultOf(text: string): object {
  const said = new Set(wordsOf(text));
  const flags = Object.entries(WORDS).map(
    ([category, words]) => [category, words.some((word) => said.has(word))] as const,
  );
  return {
    flagged: flags.some(([, flagged]) => flagged),
    categories: Object.fromEntries(flags),
    category_scores: Object.fromEntries(flags.map(([category, flagged]) => [category, flagged ? 0.9 : 0.001])),
    category_applied_input_types: Object.fromEntries(flags.map(([category]) => [category, ['text']])),
  };
}

/** Several texts are judged one by one; parts are one input. */
function textsOf(input: unknown): string[] | undefined {
  if (typeof input === 'string') return [input];
  if (!isArray(input) || input.length === 0) return undefined;
  if (input.every((each) => typeof each === 'string')) return [...input];
  if (!input.every(isObject)) return undefined;
  return [input.map((part) => stringOf(part['text']) ?? '').join(' ')];
}
