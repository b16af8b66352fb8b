import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { before, test } from 'node:test';
import { ChatStream, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { INSPECTED, MemoryProbe } from '../support/inspected-gateway.ts';
import { leastOf } from '../support/least-of.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, startProvider, USAGE_EVENT } from '../support/provider.ts';
import { noProc } from '../support/resident-memory.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const READERS = 20;
const STREAM_BYTES = 100_000_000;
const BOUND_BYTES = 1024 * 1024;
const piece = Buffer.from(chunkEvent({ content: 'w'.repeat(4000) }).repeat(16));

/** Bytes that the provider could get rid of so far. */
let poured = 0;
let provider: FakeProvider;
before(async () => {
  provider = await startProvider((request, response) => {
    const { max_tokens: bytes } = JSON.parse(request.body.toString());
    startEvents(response);
    pour(response, bytes);
  });
});
disposeAfter(() => [provider]);

function pour(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      left -= piece.length;
      poured += piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    // Without usage it would be estimated, by a worker that stays for a while.
    response.end(USAGE_EVENT + DONE_EVENT);
  };
  more();
}

const open = (gateway: RunningGateway, bytes: number) =>
  new ChatStream(gateway, { model: 'p/m', messages, stream: true, max_tokens: bytes }, { paused: true });

/** Until nothing has moved for a while: all buffers in between are full. */
async function stalled(): Promise<void> {
  let before = -1;
  await eventually(
    'the provider stands still',
    async () => {
      const still = poured === before;
      before = poured;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return still;
    },
    20_000,
  );
}

/** Bytes that a client costs a fresh gateway if it reads nothing of its stream. */
async function costOfReader(gateway: RunningGateway): Promise<number> {
  // The same traffic first, read: what the process grows by for good is not the one reader's.
  for (let turn = 0; turn < 3; turn += 1) {
    const warm = Array.from({ length: READERS }, () => open(gateway, 10_000_000));
    await Promise.all(warm.map((stream) => stream.drain()));
  }
  const memory = await MemoryProbe.attach(gateway);
  try {
    const before = await memory.residentBytes();
    // Several, so that the share of each stands out from the noise.
    const readers = Array.from({ length: READERS }, () => open(gateway, STREAM_BYTES));
    for (const reader of readers) assert.equal((await reader.head()).status, 200);
    await stalled();
    const each = ((await memory.residentBytes()) - before) / READERS;
    assert.equal(await gateway.metric('sluice_in_flight'), READERS);

    // And they are not cut: one that begins to read gets all of it.
    const [first, ...others] = readers;
    for (const other of others) other.leave();
    const { bytes, ended } = await first!.drain();
    assert.equal(ended, 'whole');
    assert.equal(bytes, Math.ceil(STREAM_BYTES / piece.length) * piece.length + DONE_EVENT.length);
    await eventually('all places are given back', async () => (await gateway.metric('sluice_in_flight')) === 0);
    return each;
  } finally {
    memory.close();
  }
}

test('a client that never reads a 100 MB stream costs no more than a megabyte', {
  skip: noProc,
  timeout: 170_000,
}, async () => {
  const each = await leastOf(BOUND_BYTES, async () => {
    const gateway = await startGateway({
      server: { log: { access: 'off' } },
      environment: INSPECTED,
      manifests: [openAccount('p', `${provider.origin}/v1`)],
    });
    try {
      return await costOfReader(gateway);
    } finally {
      await gateway[Symbol.asyncDispose]();
    }
  });
  assert.ok(each <= BOUND_BYTES, `${Math.round(each / 1024)} KiB for each of ${READERS}`);
});

const LEFT_STREAMS = 1_500;
/** With a usage on each event nothing is estimated, by a thread that would stay for a while. */
const TALK = Buffer.from(
  chunkEvent({ content: 'w'.repeat(200) }, null, { usage: { prompt_tokens: 1, completion_tokens: 1 } }).repeat(20),
);

/** As its start is in other tests; V8 says of each collection in each thread what it left, in MiB. */
const TRACED = [
  process.execPath,
  '--trace-gc',
  '--import',
  './scripts/strip-types.js',
  'src/main.ts',
  'serve',
] as const;
/** `… ms: Mark-Compact (reduce) 103.8 (141.2) -> 24.9 (30.1) MB, …` */
const COLLECTED = /Mark-Compact [^\d]*([\d.]+) \([\d.]+\) -> ([\d.]+) \(([\d.]+)\) MB/g;
/** The main thread and a relay thread. */
const THREADS = 2;
const MANY_MIB = 30;
const FEW_MIB = 40;

/** All of them get a piece of their answer before they leave in the same moment. */
async function storm({ url }: RunningGateway): Promise<void> {
  const { port, host } = new URL(url);
  const body = JSON.stringify({ model: 'p/m', messages, stream: true, padding: 'w'.repeat(2_000) });
  const request =
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${KEY}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  while (sockets.length < LEFT_STREAMS) {
    const begun = Array.from({ length: 100 }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      sockets.push(socket);
      socket.write(request);
      return new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
    });
    await Promise.all(begun);
  }
  for (const socket of sockets) socket.on('error', () => {}).destroy();
}

test('the garbage of a storm of streams that were left is given back as soon as nobody is served', {
  timeout: 60_000,
}, async () => {
  const talking = await startProvider((_request, response) => {
    startEvents(response);
    response.write(TALK);
  });
  const storming = await startGateway({
    server: { log: { access: 'off' } },
    manifests: [openAccount('p', `${talking.origin}/v1`)],
    command: TRACED,
  });
  try {
    const asked = () => storming.output().split('testing; GC').length - 1;
    await eventually('each thread has given back what its start left', () => asked() >= THREADS, 20_000);
    await storm(storming);
    const before = storming.output().length;
    const collections = () => [...storming.output().slice(before).matchAll(COLLECTED)].map((each) => each.map(Number));
    // Until then V8 would keep it for good: with keepHeapSteady it collects a quiet thread no more.
    const isGivenBack = () =>
      collections().some(([, held, left, resident]) => held! > MANY_MIB && left! < FEW_MIB && resident! < 2 * FEW_MIB);
    await eventually('all have left', async () => (await storming.metric('sluice_in_flight')) === 0, 20_000);
    await eventually('the garbage of the relay thread is collected', isGivenBack, 20_000);
  } finally {
    await storming[Symbol.asyncDispose]();
    await talking[Symbol.asyncDispose]();
  }
});
