/** Four providers on ports of their own that die in every way at random, and what each of their answers must say. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a provider is good, or bad in one way. */
const WEATHER_MS = 400;
/** Share of the time in which a provider is good. */
const GOOD = 0.5;
const CUT_AFTER_MS = 20;

type Answer = (response: ServerResponse, name: string, stream: boolean) => void;

export function wordsOf(name: string): string {
  return `of ${name} and of nobody else`;
}

const frame = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ ...CHUNK, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const CHUNK = { id: 'chatcmpl-storm', object: 'chat.completion.chunk', created: 1, model: 'm' };
const USAGE = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };

function json(response: ServerResponse, status: number, value: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

function events(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

/** `refuses` is done by the listener itself. */
const WAYS: Record<string, Answer> = {
  'answers 500': (response) => json(response, 500, { error: { message: 'no' } }),
  'answers 429': (response) => json(response, 429, { error: { message: 'slower' } }, { 'retry-after-ms': '200' }),
  hangs: () => {},
  'closes at once': (response) => void response.destroy(),
  'cut before content': (response) => {
    events(response);
    response.write(frame({ role: 'assistant' }));
    setImmediate(() => response.destroy());
  },
  'cut after content': (response, name) => {
    events(response);
    response.write(frame({ role: 'assistant', content: `of ${name}` }));
    setTimeout(() => response.destroy(), CUT_AFTER_MS);
  },
  'error in a 200': (response) => {
    events(response);
    response.end('data: {"error":{"message":"overloaded"}}\n\n');
  },
  empty: (response) => {
    events(response);
    response.end();
  },
  'wrong kind': (response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html><title>maintenance</title></html>');
  },
};
const BAD = [...Object.keys(WAYS), 'refuses'];

function good(response: ServerResponse, name: string, stream: boolean): void {
  const words = wordsOf(name);
  if (!stream) {
    const choices = [{ index: 0, message: { role: 'assistant', content: words }, finish_reason: 'stop' }];
    json(response, 200, {
      id: 'chatcmpl-storm',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices,
      usage: USAGE,
    });
    return;
  }
  events(response);
  for (const word of words.split(/(?<= )/)) response.write(frame({ role: 'assistant', content: word }));
  const usage = `data: ${JSON.stringify({ ...CHUNK, choices: [], usage: USAGE })}\n\n`;
  response.end(`${frame({}, 'stop')}${usage}data: [DONE]\n\n`);
}

class StormProvider {
  readonly #name: string;
  readonly #port: number;
  #way: string | undefined;
  #server: Server | undefined;

  constructor(name: string, port: number) {
    this.#name = name;
    this.#port = port;
  }

  async become(way: string | undefined): Promise<void> {
    this.#way = way;
    if (way === 'refuses') await this.close();
    else if (this.#server === undefined) await this.#listen();
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #listen(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.on('connection', (socket) => socket.on('error', () => {}));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A gateway that gives up in the middle is one of the cases.
    for (const each of [request, response]) each.on('error', () => {});
    request.on('end', () => {
      const { stream } = JSON.parse(Buffer.concat(chunks).toString()) as { stream?: boolean };
      const answer = this.#way === undefined ? good : WAYS[this.#way];
      answer?.(response, this.#name, stream === true);
    });
  }
}

export type Storm = { isOver: Promise<void>; close(): Promise<void> };

/** Ports by name of the provider. The weather changes until `durationMs` are over; then all are good. */
export async function startStorm(ports: Readonly<Record<string, number>>, durationMs: number): Promise<Storm> {
  const providers = Object.entries(ports).map(([name, port]) => new StormProvider(name, port));
  await Promise.all(providers.map((each) => each.become(undefined)));
  const until = performance.now() + durationMs;
  const change = async (): Promise<void> => {
    while (performance.now() < until) {
      const ways = providers.map(() =>
        Math.random() < GOOD ? undefined : BAD[Math.floor(Math.random() * BAD.length)],
      );
      await Promise.all(providers.map((each, at) => each.become(ways[at])));
      await delay(WEATHER_MS);
    }
    await Promise.all(providers.map((each) => each.become(undefined)));
  };
  return {
    isOver: change(),
    close: async () => {
      await Promise.all(providers.map((each) => each.close()));
    },
  };
}
