import assert from 'node:assert/strict';
import type { ChatStream } from './chat-client.ts';

/** The error that an answer which had begun ended with. Fails where the client could take the answer for a whole one. */
export async function brokenOff(stream: ChatStream): Promise<{ code: string; message: string; before: string }> {
  assert.equal(await stream.ended(), 'cut', `a cut, not a clean end: ${stream.text()}`);
  const text = stream.text();
  const at = text.lastIndexOf('data: {"error"');
  assert.ok(at >= 0, `an error event in ${text}`);
  assert.ok(at === 0 || text[at - 1] === '\n', 'the event begins a line');
  assert.ok(text.endsWith('\n\n'), 'the event is whole');
  assert.ok(!text.includes('[DONE]'), 'nothing says that it is done');
  return { ...JSON.parse(text.slice(at + 6)).error, before: text.slice(0, at) };
}
