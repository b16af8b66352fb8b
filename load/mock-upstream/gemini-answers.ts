/** The answers in the form of Gemini's generateContent: the same words and counts as in OpenAI's. */
import type { Answers } from './answers.ts';
import type { Behaviour } from './behaviour.ts';

const TEXT = 'The sluice opens a hand wide, the water takes the gap without a word.';

export function geminiAnswers(model: string, behaviour: Behaviour): Answers {
  const { chunks, completionTokens, promptTokens } = behaviour;
  const output = completionTokens || chunks;
  const usageMetadata = {
    promptTokenCount: promptTokens,
    candidatesTokenCount: output,
    totalTokenCount: promptTokens + output,
  };
  const answer = (text: string, finishReason: string | undefined): object => ({
    candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason, index: 0 }],
    usageMetadata,
    modelVersion: model,
    responseId: 'MockA1b2C3d4E5f6',
  });
  const events = Array.from({ length: chunks }, (_, index) => Buffer.from(event(answer(`w${index} `, undefined))));
  const tail = Buffer.from(event(answer('', 'STOP')));
  return {
    whole: Buffer.from(JSON.stringify(answer(TEXT, 'STOP'))),
    stream: { chunks, event: (index) => events[index] as Buffer, tail, tailWithUsage: tail },
  };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\r\n\r\n`;
}
