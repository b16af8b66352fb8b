import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';
import { finishWord } from '../openai-json/finish-word.ts';
import { usageObject } from '../openai-json/usage-object.ts';

/** A whole `text_completion` from the neutral events; what is no text has no place in it. */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): Buffer {
  let { created, model } = context;
  let id = `cmpl-${context.exchangeId}`;
  const usage: Usage = {};
  const choices = [newChoice(0)];
  for (const event of events) {
    if (event.type === 'start') {
      id = event.id ?? id;
      model = event.model ?? model;
      created = event.created ?? created;
    } else if (event.type === 'usage') mergeUsage(usage, event.usage);
    else if (event.type === 'text' || event.type === 'finish') {
      const index = event.choice ?? 0;
      choices[index] ??= newChoice(index);
      if (event.type === 'text') choices[index].text += event.text;
      else choices[index].finish_reason = finishWord(event.reason, context);
    }
  }
  const told = usageObject(usage);
  return Buffer.from(JSON.stringify({ id, object: 'text_completion', created, model, choices, usage: told }));
}

function newChoice(index: number) {
  return { text: '', index, logprobs: null, finish_reason: 'stop' };
}
