import { countOf, isArray, type JsonObject } from '../../codec/json-value.ts';
import { DemoRefusal, jsonResponder } from './json-responder.ts';
import { vectorOf, wordsOf } from './word-vectors.ts';

const DIMENSIONS = 256;
const MAX_DIMENSIONS = 4_096;
const MAX_INPUTS = 2_048;

/** Answers `/embeddings` inside the process. It writes numbers; who asks for base64 gets them so from the gateway. */
export const answerEmbeddings = jsonResponder((request) => {
  const inputs = inputsOf(request);
  const dimensions = countOf(request['dimensions']) ?? DIMENSIONS;
  if (inputs === undefined || inputs.length > MAX_INPUTS) {
    return new DemoRefusal(`\`input\` must be a text, up to ${MAX_INPUTS} texts, or tokens.`);
  }
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    return new DemoRefusal(`\`dimensions\` must be a whole number up to ${MAX_DIMENSIONS}.`);
  }
  const tokens = inputs.reduce((sum, words) => sum + words.length, 0);
  return {
    object: 'list',
    data: inputs.map((words, index) => ({ object: 'embedding', index, embedding: vectorOf(words, dimensions) })),
    model: 'demo/embedding',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
});

/** The words of each input, or its tokens as words; undefined: it is none that OpenAI knows. */
function inputsOf({ input }: JsonObject): string[][] | undefined {
  if (typeof input === 'string') return [wordsOf(input)];
  if (!isArray(input) || input.length === 0) return undefined;
  if (input.every((each) => typeof each === 'number')) return [input.map(String)];
  const inputs: string[][] = [];
  for (const each of input) {
    if (typeof each === 'string') inputs.push(wordsOf(each));
    else if (isArray(each) && each.every((token) => typeof token === 'number')) inputs.push(each.map(String));
    else return undefined;
  }
  return inputs;
}
