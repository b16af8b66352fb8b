import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import type { AnswerContext } from '../dialect.ts';
import { providerFailure } from '../openai-json/error-body.ts';
import { eventWriter } from './event-writer.ts';

/** A whole response from the neutral events: what the last event of its stream holds. */
export function fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer> {
  const writer = eventWriter(context);
  for (const event of events) {
    if (event.type === 'error') return providerFailure(event);
    writer.write(event);
  }
  writer.end();
  return Buffer.from(JSON.stringify(writer.response()));
}
