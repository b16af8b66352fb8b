import assert from 'node:assert/strict';
import { JsonPeek } from '../../src/codec/json-peek.ts';
import { PeekKeys } from '../../src/codec/peek-keys.ts';
import { type BenchTask, subjectOf, task } from '../harness/subject.ts';
import { bytesOf, type ChatRequest, imageRequest, quotedRequest, smallRequest } from '../inputs/chat-request.ts';
import { pieces } from '../inputs/pieces.ts';

/** Those of the chat dialect. */
const keys = new PeekKeys(['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens']);

export const inputs = {
  small: smallRequest({ stream: true }),
  image: imageRequest(),
  quoted: quotedRequest(),
};

const SMALL = '0.8 KB request';
const IMAGE = '1.3 MB of base64 in a request';
const QUOTED = 'text full of escaped quotes';

export const subject = subjectOf([
  peek(SMALL, inputs.small),
  parse(SMALL, inputs.small),
  peek(IMAGE, inputs.image),
  arriving(IMAGE, inputs.image),
  parse(IMAGE, inputs.image),
  peek(QUOTED, inputs.quoted),
  parse(QUOTED, inputs.quoted),
]);

function peek(name: string, request: ChatRequest): BenchTask {
  const body = bytesOf(request);
  return task({
    name,
    bytes: body.length,
    run: () => {
      const scan = new JsonPeek(keys);
      scan.advance(body, body.length);
      scan.finish();
      return scan;
    },
    check: (scan) => assertFound(scan, body, request),
  });
}

/** As the edge sees a large body: one buffer that fills by and by. */
function arriving(name: string, request: ChatRequest): BenchTask {
  const body = bytesOf(request);
  const steps = pieces(body, 65_536).map((piece) => piece.byteOffset - body.byteOffset + piece.length);
  return task({
    name: `${name}, arriving in 64 KiB`,
    bytes: body.length,
    run: () => {
      const scan = new JsonPeek(keys);
      for (const end of steps) scan.advance(body, end);
      scan.finish();
      return scan;
    },
    check: (scan) => assertFound(scan, body, request),
  });
}

function parse(name: string, request: ChatRequest): BenchTask {
  const body = bytesOf(request);
  return task<unknown>({
    name: `${name}, by JSON.parse`,
    bytes: body.length,
    run: () => JSON.parse(body.toString('utf8')),
    check: (parsed) => assert.deepEqual(parsed, request),
  });
}

function assertFound(scan: JsonPeek, body: Buffer, request: ChatRequest): void {
  assert.equal(scan.fault, undefined);
  for (const [index, name] of keys.names.entries()) {
    const start = scan.starts[index]!;
    const found: unknown = start < 0 ? undefined : JSON.parse(body.toString('utf8', start, scan.ends[index]));
    assert.deepEqual(found, request[name], name);
  }
}
