import { countOf, isArray, isObject, stringOf } from '../../codec/json-value.ts';
import { DemoRefusal, jsonResponder } from './json-responder.ts';
import { likeness, vectorOf, wordsOf } from './word-vectors.ts';

const DIMENSIONS = 256;
const MAX_DOCUMENTS = 1_000;

/** Answers `/rerank` inside the process: a document is as good as the words that it shares with the query. */
export const answerRerank = jsonResponder(({ query, documents, top_n: top, return_documents: echo }) => {
  if (typeof query !== 'string') return new DemoRefusal('`query` must be a text.');
  const texts = isArray(documents) ? documents.map((each) => stringOf(isObject(each) ? each['text'] : each)) : [];
  if (texts.length === 0 || texts.length > MAX_DOCUMENTS || texts.includes(undefined)) {
    return new DemoRefusal(`\`documents\` must be up to ${MAX_DOCUMENTS} texts.`);
  }
  const asked = wordsOf(query);
  const wanted = vectorOf(asked, DIMENSIONS);
  let tokens = 0;
  const results = texts.map((text = '', index) => {
    const words = wordsOf(text);
    tokens += asked.length + words.length;
    const score = Math.max(0, likeness(wanted, vectorOf(words, DIMENSIONS)));
    return { index, relevance_score: score, ...(echo === true && { document: { text } }) };
  });
  results.sort((one, other) => other.relevance_score - one.relevance_score);
  return {
    id: 'rerank-demo',
    model: 'demo/rerank',
    results: results.slice(0, countOf(top) ?? results.length),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
});
