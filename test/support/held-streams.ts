import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { ChatStream, messages } from './chat-client.ts';
import { eventually, type RunningGateway } from './gateway.ts';
import { chunkEvent, DONE_EVENT, type FakeProvider, startProvider } from './provider.ts';
import { RawClient } from './raw-client.ts';
import { byModel, openAccount, startEvents } from './scripted-provider.ts';

/** A provider whose streams begin and then wait for the test: what a gateway has open when it is told to stop. */
export class HeldStreams implements AsyncDisposable {
  readonly #provider: FakeProvider;
  readonly #open: Map<string, ServerResponse>;

  private constructor(provider: FakeProvider, open: Map<string, ServerResponse>) {
    this.#provider = provider;
    this.#open = open;
  }

  static async start(): Promise<HeldStreams> {
    const open = new Map<string, ServerResponse>();
    const provider = await startProvider(
      byModel({
        stream: (request, response) => {
          startEvents(response);
          response.write(chunkEvent({ content: 'begun' }));
          open.set(JSON.parse(request.body.toString()).user, response);
        },
      }),
    );
    return new HeldStreams(provider, open);
  }

  /** The account that the gateway gets. */
  get account(): object {
    return openAccount('p', `${this.#provider.origin}/v1`);
  }

  /** `user` names the stream. Resolves when the client has its first content. */
  async open(gateway: RunningGateway, user: string): Promise<ChatStream> {
    const client = new ChatStream(gateway, { model: 'p/stream', messages, stream: true, user });
    await client.until('begun');
    return client;
  }

  /** After a signal: nothing new is taken, and what is open ends whole. */
  async endsWhole(gateway: RunningGateway, client: ChatStream, user: string): Promise<void> {
    await eventually('it takes no connection', () => portIsFree(gateway), 20_000);
    this.#open.get(user)?.write(chunkEvent({ content: 'after the signal' }));
    this.#open.get(user)?.end(DONE_EVENT);
    assert.equal(await client.ended(), 'whole');
    assert.match(client.text(), /begun.*after the signal.*\[DONE\]/s);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#provider[Symbol.asyncDispose]();
  }
}

/** A new connection is refused; `fetch` would use one that it has kept. */
export const portIsFree = (gateway: RunningGateway): Promise<boolean> =>
  RawClient.open(gateway).then(
    (client) => {
      client.leave();
      return false;
    },
    (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
  );
