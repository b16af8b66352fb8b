import { dataEvent } from '../../codec/sse-writer.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { mergeUsage, type Usage } from '../../inference/usage.ts';
import type { AnswerContext } from '../answer-form.ts';
import type { EventWriter } from '../dialect.ts';
import { finishWord } from '../openai-json/finish-word.ts';
import { usageObject } from '../openai-json/usage-object.ts';

/** A streamed answer as `text_completion` events; what is no text has no place in it. */
export function eventWriter(context: AnswerContext): EventWriter {
  return new CompletionWriter(context);
}

class CompletionWriter implements EventWriter {
  readonly #context: AnswerContext;
  #head: object;
  readonly #usage: Usage = {};

  constructor(context: AnswerContext) {
    this.#context = context;
    const { exchangeId, created, model } = context;
    this.#head = { id: `cmpl-${exchangeId}`, object: 'text_completion', created, model };
  }

  write(event: InferenceEvent): Buffer | undefined {
    switch (event.type) {
      case 'start': {
        const { id, model, created } = event;
        this.#head = { ...this.#head, ...(id && { id }), ...(model && { model }), ...(created && { created }) };
        return undefined;
      }
      case 'text':
        return this.#chunk(event.choice, event.text, null);
      case 'finish':
        return this.#chunk(event.choice, '', finishWord(event.reason, this.#context));
      case 'usage':
        mergeUsage(this.#usage, event.usage);
        return undefined;
      default:
        return undefined;
    }
  }

  end(): Buffer {
    const usage = this.#context.includeUsage ? usageObject(this.#usage) : undefined;
    const done = dataEvent('[DONE]');
    if (usage === undefined) return done;
    return Buffer.concat([dataEvent(JSON.stringify({ ...this.#head, choices: [], usage })), done]);
  }

  #chunk(index = 0, text: string, reason: string | null): Buffer {
    const choices = [{ text, index, logprobs: null, finish_reason: reason }];
    const noUsage = this.#context.includeUsage ? { usage: null } : {};
    return dataEvent(JSON.stringify({ ...this.#head, choices, ...noUsage }));
  }
}
