import assert from 'node:assert/strict';
import { SseParser } from '../../src/codec/sse-parser.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { anthropicEvents } from '../inputs/anthropic-stream.ts';
import { chatEvents } from '../inputs/chat-answer.ts';
import { pieces } from '../inputs/pieces.ts';

const MAX_EVENT_BYTES = 1 << 20;

export const inputs = { openai: chatEvents('with usage'), anthropic: anthropicEvents() };

const openai = Buffer.concat(inputs.openai);

export const subject = subjectOf([
  parse('OpenAI, 104 events in one chunk', inputs.openai, [openai]),
  parse('OpenAI, a chunk an event', inputs.openai, inputs.openai),
  parse('OpenAI, in pieces of 7 bytes', inputs.openai, pieces(openai, 7)),
  parse('Anthropic, a chunk an event', inputs.anthropic, inputs.anthropic),
]);

interface Seen {
  readonly names: (string | undefined)[];
  readonly data: string[];
}

function parse(name: string, events: readonly Buffer[], chunks: readonly Buffer[]): BenchTask {
  return task({
    name,
    bytes: Buffer.concat(events).length,
    run: (): Seen => {
      const seen: Seen = { names: [], data: [] };
      const parser = new SseParser((event, data) => {
        seen.names.push(event);
        seen.data.push(data);
      }, MAX_EVENT_BYTES);
      for (const chunk of chunks) parser.push(chunk);
      return seen;
    },
    check: (seen) => assert.deepEqual(seen, expected(events)),
  });
}

/** What the inputs were made of, read without the parser that is measured. */
function expected(events: readonly Buffer[]): Seen {
  const seen: Seen = { names: [], data: [] };
  for (const event of events) {
    const match = /^(?:event: (.*)\n)?data: (.*)\n\n$/.exec(event.toString());
    seen.names.push(match?.[1]);
    seen.data.push(match?.[2] ?? 'no event');
  }
  return seen;
}
