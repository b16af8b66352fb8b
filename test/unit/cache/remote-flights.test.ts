import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Flight, type FlightReader } from '../../../src/cache/flight.ts';
import { FlightClaims } from '../../../src/cache/flight-claims.ts';
import { RemoteFlights } from '../../../src/cache/remote-flights.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { HeldMemory } from '../../../src/relay/held-memory.ts';

const KEY = Int32Array.from([11, 22_000, 3, 4]);
const NAME = 'the key of the flight';
const ports: MessagePort[] = [];
/** The ports of a thread keep nothing alive. */
const alive = setInterval(() => {}, 1_000);
after(() => clearInterval(alive));
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** Two relay threads in one, with the memory and the ports that two would have. */
function threads() {
  const { buffer } = new FlightClaims(0);
  let heard: () => void = () => {};
  /** Somebody was asked for an answer. */
  const asked = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const all: RemoteFlights[] = [0, 1].map(
    (thread) =>
      new RemoteFlights({
        thread,
        claims: new FlightClaims(thread, buffer),
        connect(to) {
          const { port1, port2 } = new MessageChannel();
          ports.push(port1, port2);
          all[to]!.serve(port2);
          port2.once('message', () => setImmediate(heard));
          return port1;
        },
      }),
  );
  const [first, second] = all as [RemoteFlights, RemoteFlights];
  return { first, second, asked, claims: new FlightClaims(2, buffer) };
}

function flightOf(exchange: string, onOver: (flight: Flight) => void = () => {}): Flight {
  const memory = new HeldMemory({ holdBody: () => true, releaseBody: () => {} }, 1e9);
  return new Flight({ onOver, memory, maxEntryBytes: 1e6, maxBytes: 1e6, exchange });
}

class Reader implements FlightReader {
  readonly flight: Flight;
  error: GatewayError | undefined;
  isOrphan = false;
  #wake: () => void = () => {};

  constructor(flight: Flight) {
    this.flight = flight;
    flight.join(this);
  }

  get text(): string {
    return this.flight.slice(0, this.flight.pieces).toString();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  moved(): void {
    this.#wake();
  }

  failed(error: GatewayError): void {
    this.error = error;
    this.#wake();
  }

  orphaned(): void {
    this.isOrphan = true;
    this.#wake();
  }
}

/** Thread one asks, and a reader of thread two follows. */
function shared() {
  const { first, second, asked, claims } = threads();
  assert.equal(first.claim(KEY, NAME), true);
  assert.equal(second.claim(KEY, NAME), 0);
  const led = flightOf('leader', (over) => first.over(NAME, over));
  const mirror = flightOf('mirror', (over) => over.isOver && second.forget(over));
  second.follow(0, NAME, mirror);
  return { first, second, asked, claims, led, mirror };
}

test('a request that comes later on another thread gets the answer from its beginning, piece by piece, and its cost', async () => {
  const { first, led, mirror } = shared();
  first.begin(NAME, led);
  led.begin({ contentType: 'text/event-stream', stream: true, target: 'a/m' });
  led.add(Buffer.from('one,'));
  const reader = new Reader(mirror);
  await reader.until(() => reader.text === 'one,');
  led.add(Buffer.from('two,'));
  led.add(Buffer.from('three'));
  led.finish(7);
  await reader.until(() => mirror.isWhole);
  assert.deepEqual(mirror.recording.ends, [4, 8, 13]);
  assert.equal(reader.text, 'one,two,three');
  assert.deepEqual([mirror.exchange, mirror.target, mirror.nanoUsd], ['leader', 'a/m', 7]);
});

test('a request that comes before the attempt has begun waits for it', async () => {
  const { first, asked, led, mirror } = shared();
  const reader = new Reader(mirror);
  await asked;
  first.begin(NAME, led);
  led.begin({ contentType: 'application/json', stream: false, target: 'a/m' });
  led.add(Buffer.from('{}'));
  led.finish(undefined);
  await reader.until(() => mirror.isWhole);
  assert.equal(reader.text, '{}');
});

test('an error is told on every thread, and without what only the log of the asking thread may see', async () => {
  const { first, asked, led, mirror } = shared();
  first.begin(NAME, led);
  const reader = new Reader(mirror);
  await asked;
  led.fail(new GatewayError('upstream_failed', { detail: 'No.', cause: new Error('a stack') }));
  await reader.until(() => reader.error !== undefined);
  assert.deepEqual([reader.error?.code, reader.error?.context], ['upstream_failed', { detail: 'No.' }]);
});

test('an answer that nobody asks for after all, or whose thread does not have it, sends its readers to ask themselves', async () => {
  const one = shared();
  const waiting = new Reader(one.mirror);
  await one.asked;
  one.first.unclaim(NAME);
  await waiting.until(() => waiting.isOrphan);
  const two = threads();
  const mirror = flightOf('mirror');
  two.second.follow(0, 'a key that thread one never heard of', mirror);
  const lost = new Reader(mirror);
  await lost.until(() => lost.isOrphan);
});

test('the thread that asks learns when the last reader of another thread leaves', async () => {
  const { first, led, mirror } = shared();
  first.begin(NAME, led);
  let unjoined: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    unjoined = resolve;
  });
  led.leader = { joined: () => {}, unjoined };
  led.begin({ contentType: 'text/event-stream', stream: true, target: 'a/m' });
  const reader = new Reader(mirror);
  await reader.until(() => mirror.contentType !== undefined);
  assert.ok(led.isJoined);
  mirror.leave(reader);
  await left;
  assert.ok(!led.isJoined);
});

test('a thread that ends orphans what it was sending, and its claims are free', async () => {
  const { first, second, claims, led, mirror } = shared();
  first.begin(NAME, led);
  led.begin({ contentType: 'text/event-stream', stream: true, target: 'a/m' });
  const reader = new Reader(mirror);
  await reader.until(() => mirror.contentType !== undefined);
  for (const port of ports.splice(0)) port.close();
  await reader.until(() => reader.isOrphan);
  claims.releaseAll(0);
  assert.equal(second.claim(KEY, NAME), true);
});

test('a claim is free again when its answer is whole', () => {
  const { first, second, led } = shared();
  first.begin(NAME, led);
  led.begin({ contentType: 'application/json', stream: false, target: 'a/m' });
  led.finish(undefined);
  assert.equal(second.claim(KEY, NAME), true);
});
