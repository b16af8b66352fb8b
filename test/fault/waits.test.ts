import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { before, describe, test } from 'node:test';
import { brokenOff } from '../support/broken-off.ts';
import { ask, ChatStream, errorOf, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { type RunningGateway, recordOf, startGateway } from '../support/gateway.ts';
import { chunkEvent, completion, DONE_EVENT, type FakeProvider, sendJson, startProvider } from '../support/provider.ts';
import { chatHead, RawClient } from '../support/raw-client.ts';
import { deadPort } from '../support/raw-provider.ts';
import { byModel, gate, givenUp, openAccount, startEvents } from '../support/scripted-provider.ts';
import { startUnacceptingListener, type UnacceptingListener } from '../support/unaccepting-listener.ts';

const word = chunkEvent({ content: 'word' });
/**
 * So long that a provider on a busy machine keeps within those that it is to keep. The tests wait beside each other, so
 * the file takes as long as the longest.
 */
const CONNECT_MS = 1_000;
const FIRST_BYTE_MS = 2_500;
const IDLE_MS = 2_000;
const BODY_MS = 1_500;
const WRITE_MS = 1_500;
const TOTAL_MS = 2_500;
const CLIENT_MS = 1_500;
const PAUSE_MS = 100;
/** Longer in all than each of the timeouts. */
const WORDS = 40;
const BIG = Buffer.from(chunkEvent({ content: 'x'.repeat(1000) }).repeat(900));

/** Writes `piece` again and again with this pause until the answer is given up or `times` are over. */
function talk(
  response: ServerResponse,
  piece: string,
  pauseMs: number,
  times = Number.POSITIVE_INFINITY,
): Promise<void> {
  return new Promise((resolve) => {
    let written = 0;
    const timer = setInterval(() => {
      written += 1;
      if (written <= times) response.write(piece);
      if (written < times) return;
      clearInterval(timer);
      resolve();
    }, pauseMs);
    response.on('close', () => clearInterval(timer));
  });
}

const silentCut = gate<number>();
let provider: FakeProvider;
let listener: UnacceptingListener;
let gateway: RunningGateway;
let impatient: RunningGateway;

before(async () => {
  provider = await startProvider(
    byModel({
      silent: () => {},
      'head-only': (_request, response) => startEvents(response),
      'comments-only': (_request, response) => {
        startEvents(response);
        talk(response, ': processing\n\n', 60);
      },
      'then-silent': (_request, response) => {
        givenUp(response).then(silentCut.open);
        startEvents(response);
        response.write(word);
      },
      'then-comments': (_request, response) => {
        startEvents(response);
        response.write(word);
        talk(response, ': still there\n\n', 60);
      },
      'half-json': (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"id":"half');
      },
      talkative: async (_request, response) => {
        startEvents(response);
        await talk(response, word, PAUSE_MS, WORDS);
        response.end(DONE_EVENT);
      },
      endless: (_request, response) => {
        startEvents(response);
        talk(response, word, PAUSE_MS);
      },
      slow: (_request, response) => {
        setTimeout(() => sendJson(response, 200, completion('late')), 200);
      },
      big: (_request, response) => {
        startEvents(response);
        let left = 40;
        const more = (): void => {
          while (left > 0) {
            left -= 1;
            if (!response.write(BIG)) {
              response.once('drain', more);
              return;
            }
          }
          response.end(DONE_EVENT);
        };
        more();
      },
    }),
  );
  listener = await startUnacceptingListener();
  const manifests = [
    openAccount('p', `${provider.origin}/v1`),
    openAccount('unaccepting', `http://127.0.0.1:${listener.port}/v1`),
    openAccount('dead', `http://127.0.0.1:${await deadPort()}/v1`),
  ];
  [gateway, impatient] = await Promise.all([
    startGateway({
      server: {
        timeouts: { connect_ms: CONNECT_MS, first_byte_ms: FIRST_BYTE_MS, idle_ms: IDLE_MS, body_ms: BODY_MS },
      },
      manifests,
    }),
    startGateway({ server: { timeouts: { total_ms: TOTAL_MS, write_ms: WRITE_MS } }, manifests }),
  ]);
});
disposeAfter(() => [gateway, impatient, provider, listener]);

async function refusedWith(asked: Promise<Response>) {
  const startedAt = performance.now();
  const response = await asked;
  const waitedMs = performance.now() - startedAt;
  const error = await errorOf(response);
  return { status: response.status, code: error.code, message: error.message, waitedMs };
}

/** Not cut before the wait was over; and, on a machine that may be busy, not for ever after it. */
function assertWaited(waitedMs: number, ms: number): void {
  assert.ok(waitedMs >= ms - 20 && waitedMs < ms + 2_500, `waited ${waitedMs} ms for a limit of ${ms}`);
}

describe('timeouts', { concurrency: true }, () => {
  describe('four separate timeouts, each named in its error', { concurrency: true }, () => {
    for (const stream of [false, true]) {
      const kind = stream ? 'streamed' : 'whole';

      test(`a provider that cannot be connected to in time is 504 (${kind})`, async () => {
        const error = await refusedWith(ask(gateway, { model: 'unaccepting/m', messages, stream }));
        assert.deepEqual([error.status, error.code], [504, 'connect_timeout']);
        assert.match(error.message, new RegExp(`timeouts\\.connect_ms: ${CONNECT_MS}`));
        assertWaited(error.waitedMs, CONNECT_MS);
      });

      test(`a provider that sends no content in time is 504 (${kind})`, async () => {
        const error = await refusedWith(ask(gateway, { model: 'p/silent', messages, stream }));
        assert.deepEqual([error.status, error.code], [504, 'first_byte_timeout']);
        assert.match(error.message, new RegExp(`timeouts\\.first_byte_ms: ${FIRST_BYTE_MS}`));
        assertWaited(error.waitedMs, FIRST_BYTE_MS);
      });

      test(`an exchange that exceeds total_ms is 504 (${kind})`, async () => {
        const error = await refusedWith(ask(impatient, { model: 'p/silent', messages, stream }));
        assert.deepEqual([error.status, error.code], [504, 'total_timeout']);
        assert.match(error.message, new RegExp(`timeouts\\.total_ms: ${TOTAL_MS}`));
        assertWaited(error.waitedMs, TOTAL_MS);
      });

      test(`a refused connection is 502 and no timeout (${kind})`, async () => {
        const error = await refusedWith(ask(gateway, { model: 'dead/m', messages, stream }));
        assert.deepEqual([error.status, error.code], [502, 'connect_failed']);
      });
    }

    test('an upstream that goes silent before anything was passed on is 504', async () => {
      const error = await refusedWith(ask(gateway, { model: 'p/half-json', messages }));
      assert.deepEqual([error.status, error.code], [504, 'idle_timeout']);
      assert.match(error.message, new RegExp(`timeouts\\.idle_ms: ${IDLE_MS}`));
      assertWaited(error.waitedMs, IDLE_MS);
    });

    test('an upstream that goes silent in a stream is cut with an error event, and its slot is freed', async () => {
      const stream = new ChatStream(gateway, { model: 'p/then-silent', messages, stream: true });
      const { code, message, before } = await brokenOff(stream);
      assert.equal(code, 'idle_timeout');
      assert.match(message, new RegExp(`timeouts\\.idle_ms: ${IDLE_MS}`));
      assert.equal(before, word);
      await silentCut.promise;
    });

    test('a stream that exceeds total_ms gets an error event and a cut', async () => {
      const stream = new ChatStream(impatient, { model: 'p/endless', messages, stream: true });
      const { code, message } = await brokenOff(stream);
      assert.equal(code, 'total_timeout');
      assert.match(message, new RegExp(`timeouts\\.total_ms: ${TOTAL_MS}`));
    });

    test('the first-byte timeout runs on through the head and comments', async () => {
      for (const model of ['p/head-only', 'p/comments-only']) {
        const error = await refusedWith(ask(gateway, { model, messages, stream: true }));
        assert.deepEqual([error.status, error.code], [504, 'first_byte_timeout'], model);
      }
    });

    test('the idle timeout runs on through comments', async () => {
      const stream = new ChatStream(gateway, { model: 'p/then-comments', messages, stream: true });
      assert.equal((await brokenOff(stream)).code, 'idle_timeout');
    });

    test('a stream that keeps talking is not cut by the connect, first-byte and idle timeouts', async () => {
      const stream = new ChatStream(gateway, { model: 'p/talkative', messages, stream: true });
      assert.equal(await stream.ended(), 'whole');
      assert.equal(stream.text(), word.repeat(WORDS) + DONE_EVENT);
    });

    test('the idle timeout stands still while the client makes us pause the provider', async () => {
      const stream = new ChatStream(gateway, { model: 'p/big', messages, stream: true }, { paused: true });
      await stream.head();
      // Longer than idle_ms in which nothing moves; there is no event for nothing.
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS + 1_000));
      const received = await stream.drain();
      assert.equal(received.bytes, 40 * BIG.length + DONE_EVENT.length);
      assert.equal(received.ended, 'whole');
    });
  });

  describe('timeouts that the client sets', { concurrency: true }, () => {
    test('x-tfy-request-timeout ends the attempt with 504', async () => {
      for (const stream of [false, true]) {
        const headers = { 'x-tfy-request-timeout': String(CLIENT_MS) };
        const error = await refusedWith(ask(gateway, { model: 'p/silent', messages, stream }, { headers }));
        assert.deepEqual([error.status, error.code], [504, 'attempt_timeout']);
        assert.match(error.message, new RegExp(`x-tfy-request-timeout: ${CLIENT_MS}`));
        assertWaited(error.waitedMs, CLIENT_MS);
      }
    });

    test('x-tfy-request-timeout cuts a stream that has begun with an error event', async () => {
      const headers = { 'x-tfy-request-timeout': String(CLIENT_MS) };
      const stream = new ChatStream(gateway, { model: 'p/endless', messages, stream: true }, { headers });
      assert.equal((await brokenOff(stream)).code, 'attempt_timeout');
    });

    test('x-tfy-ttft-timeout-ms answers 408, and comments are no token', async () => {
      for (const model of ['p/silent', 'p/comments-only']) {
        const headers = { 'x-tfy-ttft-timeout-ms': String(CLIENT_MS) };
        const error = await refusedWith(ask(gateway, { model, messages, stream: true }, { headers }));
        assert.deepEqual([error.status, error.code], [408, 'first_token_timeout'], model);
        assert.match(error.message, new RegExp(`x-tfy-ttft-timeout-ms: ${CLIENT_MS}`));
        assertWaited(error.waitedMs, CLIENT_MS);
      }
    });

    test('x-tfy-ttft-timeout-ms does not cut a stream whose first token came', async () => {
      const headers = { 'x-tfy-ttft-timeout-ms': String(CLIENT_MS) };
      const stream = new ChatStream(gateway, { model: 'p/talkative', messages, stream: true }, { headers });
      assert.equal(await stream.ended(), 'whole');
    });

    test('an answer within the client’s own limits passes', async () => {
      const headers = { 'x-tfy-request-timeout': '20000', 'x-tfy-ttft-timeout-ms': '20000' };
      const response = await ask(gateway, { model: 'p/slow', messages }, { headers });
      assert.equal(response.status, 200);
    });
  });

  describe('timeouts towards the client', { concurrency: true }, () => {
    test('a body that does not arrive within body_ms is 408', async () => {
      for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
        const client = await RawClient.open(gateway);
        client.send(chatHead([framing]));
        client.send(framing.startsWith('content') ? '{"model":' : '9\r\n{"model":\r\n');
        const answer = await client.answer();
        client.leave();
        assert.equal(answer.status, 408);
        const { error } = JSON.parse(answer.body);
        assert.equal(error.code, 'body_timeout');
        assert.match(error.message, new RegExp(`timeouts\\.body_ms: ${BODY_MS}`));
      }
    });

    test('a client that takes nothing for write_ms is cut, and its provider call is aborted', async () => {
      const cancelled = gate<number>();
      const answers = byModel({
        big: (_request, response) => {
          givenUp(response).then(cancelled.open);
          startEvents(response);
          const more = (): void => {
            while (response.write(BIG));
            response.once('drain', more);
          };
          more();
        },
      });
      const endless = await startProvider(answers);
      const own = await startGateway({
        server: { timeouts: { write_ms: WRITE_MS } },
        manifests: [openAccount('p', `${endless.origin}/v1`)],
      });
      try {
        const headers = { 'x-request-id': 'never-reads' };
        const stream = new ChatStream(own, { model: 'p/big', messages, stream: true }, { paused: true, headers });
        await cancelled.promise;
        const record = await recordOf(own, 'never-reads');
        assert.equal(record['error.type'], 'write_timeout');
        assert.equal(record['http.response.status_code'], 499);
        assert.equal(await own.metric('sluice_in_flight'), 0);
        assert.equal((await stream.drain()).ended, 'cut');
      } finally {
        await own[Symbol.asyncDispose]();
        await endless[Symbol.asyncDispose]();
      }
    });
  });
});
