import { once } from 'node:events';
import { createServer, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { KEY } from './gateway.ts';
import { chunkEvent, completion, DONE_EVENT } from './provider.ts';

/**
 * Both ends of heavy traffic, provider and client, in a thread of their own: in the test's thread they would delay what
 * the test measures.
 */
export interface HeavyNeighbour extends AsyncDisposable {
  /** A provider of its own; its answers are streams of as many bytes as `max_tokens` says, `seed` of them a second. */
  readonly origin: string;
  /**
   * Reads a stream of this many bytes from `url` (with /v1) as fast as it comes; gives the bytes that came. The provider
   * sends no more than `bytesPerSecond`, or whatever is taken.
   */
  stream(url: string, model: string, bytes: number, bytesPerSecond?: number): Promise<number>;
  /** Sends a request with an image of this many bytes (base64); gives the status of the answer. */
  upload(url: string, model: string, bytes: number): Promise<number>;
  /** Asks for vectors of so many texts as numbers, which the provider writes as base64; gives the bytes of the answer. */
  embed(url: string, model: string, texts: number): Promise<number>;
}

type Job = { readonly id: number; readonly url: string } & (
  | {
      readonly kind: 'chat';
      readonly body: { model: string; max_tokens: number; stream: boolean; seed?: number };
      readonly imageBytes: number;
    }
  | { readonly kind: 'vectors'; readonly model: string; readonly texts: number }
);
type Asked = Job extends infer Each ? (Each extends Job ? Omit<Each, 'id'> : never) : never;

export async function startHeavyNeighbour(): Promise<HeavyNeighbour> {
  const worker = new Worker(new URL(import.meta.url));
  const [origin] = await once(worker, 'message');
  let jobs = 0;
  const waiting = new Map<number, (result: number) => void>();
  worker.on('message', ({ id, result }: { id: number; result: number }) => waiting.get(id)?.(result));
  const run = (job: Asked): Promise<number> =>
    new Promise((resolve) => {
      jobs += 1;
      waiting.set(jobs, resolve);
      worker.postMessage({ ...job, id: jobs });
    });
  return {
    origin,
    stream: (url, model, bytes, seed) =>
      run({ kind: 'chat', url, body: { model, max_tokens: bytes, stream: true, seed }, imageBytes: 0 }),
    upload: (url, model, bytes) =>
      run({ kind: 'chat', url, body: { model, max_tokens: 1, stream: false }, imageBytes: bytes }),
    embed: (url, model, texts) => run({ kind: 'vectors', url, model, texts }),
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}

/** About as large as the read buffers in between. */
const piece = Buffer.from(chunkEvent({ content: 'z'.repeat(4000) }).repeat(16));

const FLOATS = 1536;
const vector = Buffer.from(Float32Array.from({ length: FLOATS }, (_, at) => Math.sin(at) / 8).buffer).toString(
  'base64',
);
const vectorsOf = new Map<number, Buffer>();

/** Made once: it would be the provider that is slow. */
function vectors(texts: number): Buffer {
  let made = vectorsOf.get(texts);
  if (made === undefined) {
    const data = Array.from({ length: texts }, (_, index) => ({ object: 'embedding', index, embedding: vector }));
    const usage = { prompt_tokens: texts, total_tokens: texts };
    made = Buffer.from(JSON.stringify({ object: 'list', data, model: 'm', usage }));
    vectorsOf.set(texts, made);
  }
  return made;
}

async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    const head: Buffer[] = [];
    let headBytes = 0;
    request.on('data', (bytes: Buffer) => {
      // Only its beginning tells what is asked for.
      if (headBytes < 1000) head.push(bytes);
      headBytes += bytes.length;
    });
    request.on('end', () => {
      const text = Buffer.concat(head).toString('latin1', 0, 1000);
      const texts = Number(/"user":"(\d+)"/.exec(text)?.[1]);
      if (request.url?.endsWith('/embeddings')) {
        response.setHeader('content-type', 'application/json');
        response.end(vectors(texts));
      } else if (text.includes('"stream":true')) {
        pour(
          response,
          Number(/"max_tokens":(\d+)/.exec(text)?.[1]),
          Number(/"seed":(\d+)/.exec(text)?.[1] ?? Infinity),
        );
      } else {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(completion('seen')));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  parentPort?.postMessage(`http://127.0.0.1:${port}`);
}

function pour(response: ServerResponse, bytes: number, bytesPerSecond: number): void {
  response.setHeader('content-type', 'text/event-stream');
  const startedAt = performance.now();
  let sent = 0;
  const more = (): void => {
    while (sent < bytes) {
      if (sent > ((performance.now() - startedAt) / 1000) * bytesPerSecond) {
        setTimeout(more, 1);
        return;
      }
      sent += piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end(DONE_EVENT);
  };
  more();
}

function bodyOf(job: Job): object {
  // How many, where the provider looks for it: at the beginning.
  if (job.kind === 'vectors') {
    const input = Array.from({ length: job.texts }, (_, index) => `text ${index}`);
    return { model: job.model, user: String(job.texts), encoding_format: 'float', input };
  }
  const { body, imageBytes } = job;
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(imageBytes)}` } };
  const content = imageBytes > 0 ? [{ type: 'text', text: 'What is this?' }, image] : 'hi';
  return { ...body, messages: [{ role: 'user', content }] };
}

function ask(job: Job): Promise<number> {
  const bytes = Buffer.from(JSON.stringify(bodyOf(job)));
  const countsBytes = job.kind === 'vectors' || job.body.stream;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${job.url}/${job.kind === 'chat' ? 'chat/completions' : 'embeddings'}`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'content-length': bytes.length },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let received = 0;
      response.on('data', (piece: Buffer) => {
        received += piece.length;
      });
      response.on('end', () => resolve(countsBytes ? received : (response.statusCode ?? 0)));
      response.on('error', reject);
    });
    sent.end(bytes);
  });
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  port.on('message', async (job: Job) => port.postMessage({ id: job.id, result: await ask(job) }));
  await serve();
}
