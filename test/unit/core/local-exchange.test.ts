import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Principal } from '../../../src/core/exchange.ts';
import { type AnswerReceiver, LocalExchange } from '../../../src/core/local-exchange.ts';

const principal: Principal = { subject: 'user:a', keyId: 'a', teams: [], models: undefined, metadata: {} };

class Listener implements AnswerReceiver {
  readonly heard: string[] = [];
  isFull = false;
  readonly ended: Promise<GatewayError | undefined>;
  #onOver!: (error: GatewayError | undefined) => void;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#onOver = resolve;
    });
  }

  head(status: number): void {
    this.heard.push(`head ${status}`);
  }

  take(bytes: Uint8Array): boolean {
    this.heard.push(Buffer.from(bytes).toString());
    return !this.isFull;
  }

  refused(error: GatewayError): void {
    this.heard.push(`refused ${error.code}`);
  }

  over(error: GatewayError | undefined): void {
    this.heard.push(`over ${error?.code}`);
    this.#onOver(error);
  }
}

function begun(listener: Listener): LocalExchange {
  const body = Buffer.from('{}');
  return new LocalExchange({ path: '/x', principal, body, scan: () => ({ advance() {} }) }, listener);
}

test('the receiver of a local exchange hears head, bytes and its end, each once and in order', async () => {
  const listener = new Listener();
  const exchange = begun(listener);
  exchange.sink.start(200, []);
  assert.equal(exchange.sink.write(Buffer.from('a')), true);
  exchange.sink.end(Buffer.from('b'));
  exchange.sink.write(Buffer.from('late'));
  exchange.finish();
  exchange.finish();
  assert.deepEqual(listener.heard, ['head 200', 'a', 'b'], 'the end comes in a turn of its own');
  await listener.ended;
  assert.deepEqual(listener.heard, ['head 200', 'a', 'b', 'over undefined']);
  assert.equal(exchange.sink.bytesOut, 2);
});

test('a receiver that is full pauses the answer of a local exchange until it says that it is drained', () => {
  const listener = new Listener();
  const exchange = begun(listener);
  let drained = 0;
  exchange.sink.onDrained = () => {
    drained += 1;
  };
  listener.isFull = true;
  assert.equal(exchange.sink.write(Buffer.from('a')), false);
  exchange.drained();
  assert.equal(drained, 1);
  exchange.sink.end();
  exchange.finish();
  exchange.drained();
  assert.equal(drained, 1);
});

test('a refusal of a local exchange is told at once and is the error of its end', async () => {
  const listener = new Listener();
  const exchange = begun(listener);
  exchange.refuse(new GatewayError('overloaded'));
  assert.deepEqual(listener.heard, ['refused overloaded']);
  exchange.finish();
  assert.equal((await listener.ended)?.code, 'overloaded');
});

test('an answer of a local exchange that is cut ends with an error', async () => {
  const listener = new Listener();
  const exchange = begun(listener);
  exchange.sink.start(200, []);
  exchange.sink.write(Buffer.from('error event'));
  exchange.sink.cut();
  exchange.finish();
  assert.equal((await listener.ended)?.code, 'upstream_cut');
});

test('a local exchange that was left hears no more bytes, and one that is drained still hears why', async () => {
  for (const [reason, heard] of [
    ['client', ['over client_closed']],
    ['drain', ['last', 'over draining']],
  ] as const) {
    const listener = new Listener();
    const exchange = begun(listener);
    const asked: string[] = [];
    exchange.onAbort = (why) => asked.push(why);
    exchange.abort(reason);
    exchange.abort('client');
    exchange.sink.write(Buffer.from('last'));
    exchange.finish();
    await listener.ended;
    assert.deepEqual(asked, [reason]);
    assert.deepEqual(listener.heard, heard);
  }
});
