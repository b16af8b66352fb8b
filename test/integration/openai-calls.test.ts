import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { KEY, type RunningGateway, startGateway } from '../support/gateway.ts';

/*
 * The calls of the SDK, each with the required parameters alone and with all that it has: what OpenAI's own generated suite
 * tries of a server.
 */

let gateway: RunningGateway;
let client: OpenAI;

before(async () => {
  gateway = await startGateway();
  client = new OpenAI({ apiKey: KEY, baseURL: gateway.url, maxRetries: 0 });
});

after(() => gateway?.[Symbol.asyncDispose]());

const file = (text = 'Example data') => toFile(Buffer.from(text), 'README.md');
const line = JSON.stringify({
  custom_id: '1',
  method: 'POST',
  url: '/v1/embeddings',
  body: { model: 'demo/embedding', input: 'x' },
});

type Call = readonly [name: string, call: () => Promise<unknown>];

const CALLS: Readonly<Record<string, readonly Call[]>> = {
  completions: [
    ['required', () => client.completions.create({ model: 'demo/chat', prompt: 'This is a test.' })],
    [
      'all',
      () =>
        client.completions.create({
          model: 'demo/chat',
          prompt: 'This is a test.',
          best_of: 0,
          echo: true,
          frequency_penalty: -2,
          logit_bias: { foo: 0 },
          logprobs: 0,
          max_tokens: 16,
          n: 1,
          presence_penalty: -2,
          seed: 0,
          stop: '\n',
          stream: false,
          stream_options: { include_obfuscation: true, include_usage: true },
          suffix: 'test.',
          temperature: 1,
          top_p: 1,
          user: 'user-1234',
        }),
    ],
  ],
  embeddings: [
    ['required', () => client.embeddings.create({ model: 'demo/embedding', input: 'The quick brown fox' })],
    [
      'all',
      () =>
        client.embeddings.create({
          model: 'demo/embedding',
          input: 'The quick brown fox',
          dimensions: 1,
          encoding_format: 'float',
          user: 'user-1234',
        }),
    ],
  ],
  moderations: [['all', () => client.moderations.create({ model: 'demo/moderation', input: 'I want to kill them.' })]],
  images: [
    [
      'generate',
      () =>
        client.images.generate({
          model: 'demo/image',
          prompt: 'A cute baby sea otter',
          background: 'transparent',
          moderation: 'low',
          n: 1,
          output_compression: 100,
          output_format: 'png',
          partial_images: 1,
          quality: 'medium',
          response_format: 'url',
          size: 'auto',
          stream: false,
          style: 'vivid',
          user: 'user-1234',
        }),
    ],
    [
      'edit',
      async () =>
        client.images.edit({
          image: await file(),
          prompt: 'A cute baby sea otter wearing a beret',
          background: 'transparent',
          input_fidelity: 'high',
          mask: await file(),
          model: 'demo/image',
          n: 1,
          output_compression: 100,
          output_format: 'png',
          partial_images: 1,
          quality: 'high',
          response_format: 'url',
          size: '256x256',
          stream: false,
          user: 'user-1234',
        }),
    ],
    [
      'createVariation',
      async () =>
        client.images.createVariation({
          image: await file(),
          model: 'demo/image',
          n: 1,
          response_format: 'url',
          size: '1024x1024',
          user: 'user-1234',
        }),
    ],
  ],
  audio: [
    [
      'speech',
      () =>
        client.audio.speech.create({
          input: 'input',
          model: 'demo/speech',
          voice: 'alloy',
          instructions: 'instructions',
          response_format: 'mp3',
          speed: 0.25,
          stream_format: 'sse',
        }),
    ],
    [
      'transcription',
      async () => client.audio.transcriptions.create({ file: await file(), model: 'demo/transcription' }),
    ],
    [
      'transcription with all',
      async () =>
        client.audio.transcriptions.create({
          file: await file(),
          model: 'demo/transcription',
          chunking_strategy: 'auto',
          include: ['logprobs'],
          known_speaker_names: ['string'],
          known_speaker_references: ['string'],
          language: 'language',
          prompt: 'prompt',
          response_format: 'json',
          stream: false,
          temperature: 0,
          timestamp_granularities: ['word'],
        }),
    ],
    [
      'translation',
      async () =>
        client.audio.translations.create({
          file: await file(),
          model: 'demo/transcription',
          prompt: 'prompt',
          response_format: 'json',
          temperature: 0,
        }),
    ],
  ],
  files: [
    ['create', async () => client.files.create({ file: await file(), purpose: 'assistants' })],
    [
      'create with all, retrieve, read, delete',
      async () => {
        const expires_after = { anchor: 'created_at', seconds: 3600 } as const;
        const { id } = await client.files.create({ file: await file(), purpose: 'assistants', expires_after });
        await client.files.retrieve(id);
        await client.files.content(id);
        return client.files.delete(id);
      },
    ],
    ['list', () => client.files.list()],
  ],
  batches: [
    [
      'create, retrieve',
      async () => {
        const { id } = await client.files.create({ file: await file(line), purpose: 'batch' });
        const batch = await client.batches.create({
          completion_window: '24h',
          endpoint: '/v1/embeddings',
          input_file_id: id,
          metadata: { foo: 'string' },
          output_expires_after: { anchor: 'created_at', seconds: 3600 },
        });
        return client.batches.retrieve(batch.id);
      },
    ],
    ['list', () => client.batches.list()],
  ],
  responses: [
    ['create', () => client.responses.create({ model: 'demo/chat', input: 'Hi' })],
    [
      'retrieve, list items, delete',
      async () => {
        const { id } = await client.responses.create({ model: 'demo/chat', input: 'Hi' });
        const { data } = await client.responses.inputItems.list(id, {
          include: ['file_search_call.results'],
          limit: 5,
          order: 'asc',
        });
        assert.equal(data.length, 1);
        await client.responses.retrieve(id, { include: ['file_search_call.results'], stream: false });
        return (await client.responses.delete(id)) ?? true;
      },
    ],
    [
      'cancel',
      async () => {
        const { id } = await client.responses.create({ model: 'demo/chat', input: 'Hi', background: true });
        return client.responses.cancel(id);
      },
    ],
    [
      'compact with all',
      async () => {
        const { id } = await client.responses.create({ model: 'demo/chat', input: 'Hi' });
        return client.responses.compact({
          model: 'demo/chat',
          input: 'string',
          instructions: 'instructions',
          previous_response_id: id,
          prompt_cache_key: 'prompt_cache_key',
          prompt_cache_retention: 'in_memory',
          service_tier: 'auto',
        });
      },
    ],
    [
      'count input tokens with all',
      async () => {
        const { id } = await client.responses.create({ model: 'demo/chat', input: 'Hi' });
        return client.responses.inputTokens.count({
          model: 'demo/chat',
          input: 'string',
          instructions: 'instructions',
          parallel_tool_calls: true,
          previous_response_id: id,
          reasoning: { effort: 'none', summary: 'auto' },
          text: { format: { type: 'text' }, verbosity: 'low' },
          tool_choice: 'none',
          tools: [
            { name: 'name', parameters: { foo: 'bar' }, strict: true, type: 'function', description: 'description' },
          ],
          truncation: 'auto',
        });
      },
    ],
  ],
  conversations: [
    [
      'create, retrieve, update, delete',
      async () => {
        const items = [{ type: 'message' as const, role: 'user' as const, content: 'string' }];
        const { id } = await client.conversations.create({ items, metadata: { foo: 'string' } });
        await client.conversations.retrieve(id);
        await client.conversations.update(id, { metadata: { foo: 'string' } });
        return client.conversations.delete(id);
      },
    ],
    [
      'create, retrieve, list, delete items',
      async () => {
        const { id } = await client.conversations.create();
        const items = [{ type: 'message' as const, role: 'user' as const, content: 'string' }];
        const include = ['file_search_call.results' as const];
        const made = await client.conversations.items.create(id, { items, include });
        const item = made.data[0]?.id;
        assert.ok(item);
        await client.conversations.items.retrieve(item, { conversation_id: id, include });
        await client.conversations.items.list(id, { include, limit: 5, order: 'asc' });
        return client.conversations.items.delete(item, { conversation_id: id });
      },
    ],
  ],
  models: [
    ['retrieve', () => client.models.retrieve('demo/chat')],
    ['list', () => client.models.list()],
  ],
};

for (const [resource, calls] of Object.entries(CALLS)) {
  describe(`${resource} of the SDK`, () => {
    for (const [name, call] of calls) {
      test(`the call is answered: ${name}`, async () => assert.ok(await call()));
    }
  });
}

test('a path that nobody has is NotFoundError, whatever the query', async () => {
  const query = { after: 'after', limit: 0, order: 'asc', purpose: 'purpose' } as const;
  await assert.rejects(client.files.list(query, { path: '/_unknown_path' }), OpenAI.NotFoundError);
});
