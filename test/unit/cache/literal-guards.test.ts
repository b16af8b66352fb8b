import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differingLiteral, type LiteralKind, literalsOf } from '../../../src/cache/literal-guards.ts';
import { leastMs } from '../growth.ts';

const APART: readonly (readonly [LiteralKind, string, string])[] = [
  ['numbers', 'What is 12 times 4?', 'What is 12 times 5?'],
  ['numbers', 'Is 5 mg too much?', 'Is 5 kg too much?'],
  ['numbers', 'Who won in 2019?', 'Who won in 2020?'],
  ['numbers', 'from 5 to 10', 'from 10 to 5'],
  ['numbers', 'Give me three names', 'Give me four names'],
  ['numbers', 'What is the weather today?', 'What is the weather tomorrow?'],
  ['numbers', '价格是 ١٢', '价格是 ١٣'],
  ['negation', 'How do I turn on two-step sign-in?', 'How do I disable two-step sign-in?'],
  ['negation', 'Which plants are poisonous?', 'Which plants are not poisonous?'],
  ['negation', 'Why does it work?', "Why doesn't it work?"],
  ['negation', 'Can I eat it before surgery?', 'Can I eat it after surgery?'],
  ['negation', 'Is this legal?', 'Is this illegal?'],
  ['negation', 'Darf ich das?', 'Darf ich das nicht?'],
  ['negation', '我可以吃吗', '我不可以吃吗'],
  ['negation', '食べます', '食べません'],
  ['identifiers', 'What is the capital of France?', 'What is the capital of Germany?'],
  ['identifiers', 'What does parse_config do?', 'What does load_config do?'],
  ['identifiers', 'Open src/main.ts please', 'Open src/index.ts please'],
  ['identifiers', 'Write to ann@example.com', 'Write to bob@example.com'],
  ['identifiers', 'convert USD to EUR', 'convert EUR to USD'],
  ['identifiers', 'Paris weather', 'London weather'],
  ['quotes', 'translate "good morning"', 'translate "good evening sir"'],
  ['quotes', 'what does `let x` mean', 'what does `var x` mean'],
  ['languages', 'How do I sort a list in python?', 'How do I sort a list in javascript?'],
  ['languages', 'say it in french', 'say it in german'],
  ['languages', 'what is a sluice', 'was ist eine schleuse'],
  ['languages', 'привет', 'hello'],
];

const ALIKE: readonly (readonly [string, string])[] = [
  ['What is the capital of France?', 'Please tell me the capital of France'],
  ['How can I reset my password?', 'how do i reset my password'],
  ['Explain how a sluice works', 'Describe how a sluice works'],
  ['What does `let x` mean?', 'Tell me what `let x` means'],
];

const kindsApart = (one: string, other: string): LiteralKind[] => {
  const [first, second] = [literalsOf(one), literalsOf(other)];
  const kinds: LiteralKind[] = ['numbers', 'negation', 'identifiers', 'quotes', 'languages'];
  return kinds.filter((_, index) => first[index] !== second[index]);
};

test('questions that differ in a number, a negation, a name, a quotation or a language are no one question', () => {
  for (const [kind, one, other] of APART) {
    assert.ok(kindsApart(one, other).includes(kind), `${kind}: ${one} ≠ ${other}: ${kindsApart(one, other)}`);
  }
});

test('two ways to say one thing differ in no literal', () => {
  for (const [one, other] of ALIKE) {
    assert.equal(differingLiteral(literalsOf(one), literalsOf(other)), undefined, `${one} = ${other}`);
  }
});

test('literals of a text of eight kilobytes are found in a few milliseconds, whatever stands in it', () => {
  for (const text of ['"', '`', 'a.', '9,', "'a ", 'Ab_', '«', '不', 'x'].map((piece) =>
    piece.repeat(8_192 / piece.length),
  )) {
    const ms = leastMs(() => void literalsOf(text), 3);
    assert.ok(ms < 250, `${text.slice(0, 4)}: ${ms} ms`);
  }
});
