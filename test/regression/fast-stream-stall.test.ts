/*
 * Symptom: a stream that came faster than a few hundred kilobytes per turn of the loop stood still for ever, with a client
 * that read all the time. The idle timeout did not end it, because a paused provider is not silent.
 * Root cause: the sink said "full" when more than the high watermark was written within one turn, before its flush at the
 * end of the turn. When that flush went through at once, nothing had blocked, so nothing ever said "drained".
 * Why the fix is right: whoever was told "full" is told "drained" by whatever empties the sink, a flush as well as the
 * socket becoming writable.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, startGateway } from '../support/gateway.ts';
import { type HeavyNeighbour, startHeavyNeighbour } from '../support/heavy-neighbour.ts';
import { openAccount } from '../support/scripted-provider.ts';

let heavy: HeavyNeighbour;
let gateway: RunningGateway;
before(async () => {
  heavy = await startHeavyNeighbour();
  gateway = await startGateway({ manifests: [openAccount('heavy', `${heavy.origin}/v1`)] });
});
disposeAfter(() => [gateway, heavy]);

test('a fast stream never stands still, however much comes in one turn', { timeout: 20_000 }, async () => {
  const bytes = 40_000_000;
  const stream = (max_tokens: number, paused?: true) =>
    new ChatStream(gateway, { model: 'heavy/m', messages, max_tokens, stream: true }, { ...(paused && { paused }) });
  const [fast, late] = [stream(bytes), stream(bytes, true)];
  assert.equal(await fast.ended(), 'whole');
  assert.ok(fast.receivedBytes >= bytes);
  const drained = await late.drain();
  assert.equal(drained.ended, 'whole');
  assert.equal(drained.bytes, fast.receivedBytes);
});
