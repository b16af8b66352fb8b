import assert from 'node:assert/strict';
import { AwsEventStreamParser } from '../../src/codec/aws-event-stream.ts';
import { SseParser } from '../../src/codec/sse-parser.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { anthropicMessages } from '../../src/dialects/anthropic-messages/index.ts';
import type { InferenceEvent } from '../../src/inference/event.ts';
import type { Wire } from '../../src/providers/provider.ts';

const context = { exchangeId: 'ex_1', model: 'account/model', includeUsage: true, created: 1 };

/** Provider bytes → bytes for a client of Anthropic's form, as the relay does it for a stream. */
export function messageStream({ framing, translation }: Wire, chunks: Iterable<Buffer>): string {
  const reader = translation!.eventReader!();
  const writer = anthropicMessages.translation.eventWriter(context);
  const out: Buffer[] = [];
  const onEvent = (event: string | undefined, data: string): void => {
    const events: InferenceEvent[] = [];
    reader.fromEvent(event, data, events);
    for (const each of events) {
      assert.notEqual(each.type, 'error', JSON.stringify(each));
      const bytes = writer.write(each);
      if (bytes) out.push(bytes);
    }
  };
  const Parser = framing === 'aws-event-stream' ? AwsEventStreamParser : SseParser;
  const parser = new Parser(onEvent, 1 << 24);
  for (const chunk of chunks) assert.equal(parser.push(chunk), undefined);
  assert.ok(reader.complete || reader.finished);
  out.push(writer.end());
  return Buffer.concat(out).toString();
}

/** The same for a whole answer. */
export function messageWhole({ translation }: Wire, body: Buffer): string {
  const events = translation!.fromResponse(body);
  assert.ok(!(events instanceof GatewayError), events instanceof GatewayError ? events.message : '');
  const answer = anthropicMessages.translation.fromInference(events, context);
  assert.ok(!(answer instanceof GatewayError), answer instanceof GatewayError ? answer.message : '');
  return answer.toString();
}
