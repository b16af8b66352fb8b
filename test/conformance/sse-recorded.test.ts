import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseParser } from '../../src/codec/sse-parser.ts';
import { cuttings } from '../support/cuttings.ts';
import { noRecordings, recordedProviders, recordings } from '../support/recordings.ts';

type Event = [event: string | undefined, data: string];

function parse(chunks: readonly Buffer[]): Event[] {
  const events: Event[] = [];
  const parser = new SseParser((event, data) => events.push([event, data]), 1 << 24);
  for (const chunk of chunks) assert.equal(parser.push(chunk), undefined);
  return events;
}

/** Another reading of the same rules, slow and plain, to hold the parser against. */
function plainly(text: string): Event[] {
  const blocks = text.replace(/\r\n?/g, '\n').split('\n\n').slice(0, -1);
  return blocks.flatMap((block): Event[] => {
    const lines = block.split('\n').filter((line) => line !== '');
    const data = lines.filter((line) => /^data:/.test(line)).map((line) => line.replace(/^data: ?/, ''));
    const name = lines.findLast((line) => /^event:/.test(line))?.replace(/^event: ?/, '');
    return data.length > 0 ? [[name, data.join('\n')]] : [];
  });
}

for (const provider of recordedProviders) {
  test(`every recorded stream of ${provider} gives the same events however it is cut`, { skip: noRecordings }, () => {
    const streams = recordings(provider).filter((recording) => recording.kind === 'sse');
    assert.ok(streams.length > 0);
    for (const { name, response } of streams) {
      const text = response.body ?? '';
      const bytes = Buffer.from(text);
      const expected = plainly(text);
      assert.ok(expected.length > 0, name);
      // Two-part cuts at some places of each; byte by byte is among the cuttings.
      for (const chunks of cuttings(bytes, 12)) assert.deepEqual(parse(chunks), expected, name);
    }
  });
}
