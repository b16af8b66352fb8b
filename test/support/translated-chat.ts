import assert from 'node:assert/strict';
import { SseParser } from '../../src/codec/sse-parser.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { eventWriter } from '../../src/dialects/openai-chat/event-writer.ts';
import { fromInference } from '../../src/dialects/openai-chat/from-inference.ts';
import { toInference } from '../../src/dialects/openai-chat/to-inference.ts';
import type { InferenceEvent } from '../../src/inference/event.ts';
import type { Translation, Wire } from '../../src/providers/provider.ts';
import { exampleTarget } from './targets.ts';

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };

interface EventParser {
  push(chunk: Buffer): GatewayError | undefined;
}
type MakeParser = (onEvent: (event: string | undefined, data: string) => void, maxBytes: number) => EventParser;
const parseSse: MakeParser = (onEvent, maxBytes) => new SseParser(onEvent, maxBytes);

/** Provider bytes → client bytes, as the relay does it for a stream. */
export function translateStream(
  translation: Translation,
  chunks: readonly Buffer[],
  makeParser: MakeParser = parseSse,
): { bytes: Buffer; complete: boolean } {
  const reader = translation.eventReader!();
  const writer = eventWriter(context);
  const out: Buffer[] = [];
  const write = (events: readonly InferenceEvent[]): void => {
    for (const each of events) {
      const bytes = writer.write(each);
      if (bytes) out.push(bytes);
    }
  };
  const parser = makeParser((event, data) => {
    const events: InferenceEvent[] = [];
    reader.fromEvent(event, data, events);
    write(events);
  }, 1 << 24);
  for (const chunk of chunks) assert.equal(parser.push(chunk), undefined);
  const complete = reader.complete || reader.finished === true;
  const last: InferenceEvent[] = [];
  if (complete) {
    reader.end?.(last);
    write(last);
    out.push(writer.end());
  }
  return { bytes: Buffer.concat(out), complete };
}

/** The same for a whole answer. */
export function translateWhole(translation: Translation, body: string): Buffer {
  const events = translation.fromResponse(Buffer.from(body));
  assert.ok(!(events instanceof GatewayError), events instanceof GatewayError ? events.message : '');
  const answer = fromInference(events, context);
  assert.ok(!(answer instanceof GatewayError), answer instanceof GatewayError ? answer.message : '');
  return answer;
}

/** A client's body → the provider's, as text; or the code and the parameter of the error. */
export function translateRequest(
  wire: Wire,
  body: object | string,
  model: string,
): string | [string, string | undefined] {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const request = toInference(bytes, model);
  const made = request instanceof GatewayError ? request : wire.translation!.toRequest(request, exampleTarget);
  if (made instanceof GatewayError) return [made.code, made.context.param];
  return made.body.toString();
}
