import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI, { APIError, toFile } from 'openai';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { RawClient } from '../support/raw-client.ts';

const OTHER_KEY = 'sk-other';
const MATE_KEY = 'sk-mate';
const MAX_FILE_BYTES = 2_000_000;
const LINE = {
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'demo/chat', messages: [] },
};

let gateway: RunningGateway;
let client: OpenAI;
let other: OpenAI;
const keys = [
  { name: 'test', key: KEY, subject: 'virtualaccount:test', teams: ['search'] },
  { name: 'other', key: OTHER_KEY, subject: 'virtualaccount:other' },
  { name: 'mate', key: MATE_KEY, subject: 'virtualaccount:mate', teams: ['search'] },
];
const sdk = (at: RunningGateway, apiKey: string) => new OpenAI({ baseURL: `${at.url}/v1`, apiKey, maxRetries: 0 });

before(async () => {
  gateway = await startGateway({ keys, server: { limits: { max_file_bytes: MAX_FILE_BYTES } } });
  client = sdk(gateway, KEY);
  other = sdk(gateway, OTHER_KEY);
});
after(() => gateway?.[Symbol.asyncDispose]());

const lines = (...objects: unknown[]) => Buffer.from(`${objects.map((each) => JSON.stringify(each)).join('\n')}\n`);

/** Names of all blobs, and of what is on its way. */
async function blobs(folder = gateway.folder) {
  const entries = await readdir(join(folder, 'data/blobs'), { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && entry.name.startsWith('file-'));
  return {
    whole: names.filter(({ parentPath }) => !parentPath.includes('incoming')).map(({ name }) => name),
    incoming: names.filter(({ parentPath }) => parentPath.includes('incoming')).map(({ name }) => name),
  };
}

/** A refused upload leaves no blob behind. */
async function leavesNothing<T>(work: () => Promise<T>): Promise<T> {
  const before = await blobs();
  const result = await work();
  await eventually('nothing is left behind', async () => {
    const now = await blobs();
    return now.incoming.length === 0 && now.whole.length === before.whole.length;
  });
  return result;
}

async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof APIError, String(error));
  return { status: error.status, code: error.code, param: error.param, message: error.message };
}

/** A form as it is written, under the boundary `B`. */
async function sendForm(body: string | Buffer, contentType = 'multipart/form-data; boundary=B') {
  const response = await fetch(`${gateway.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': contentType },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  const answer = (await response.json()) as {
    error?: { code: string; message: string; param: string };
    filename?: string;
  };
  return { status: response.status, ...answer.error, filename: answer.filename };
}

const part = (disposition: string, value: string) =>
  `--B\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
const PURPOSE = part('name="purpose"', 'user_data');
const FILE = part('name="file"; filename="a.txt"', 'hello');

describe('the official SDK', () => {
  test('a file is uploaded, shown, read and deleted, and its bytes and hash are those that were sent', async () => {
    const bytes = randomBytes(1_500_000);
    const file = await client.files.create({ file: await toFile(bytes, 'né "w".bin'), purpose: 'user_data' });
    assert.equal(file.object, 'file');
    assert.equal(file.bytes, bytes.length);
    assert.equal(file.filename, 'né "w".bin');
    assert.equal(file.status, 'processed');
    assert.deepEqual(Object(file).sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.deepEqual({ ...(await client.files.retrieve(file.id)) }, { ...file });
    const content = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
    assert.ok(content.equals(bytes));
    assert.deepEqual({ ...(await client.files.delete(file.id)) }, { id: file.id, object: 'file', deleted: true });
    assert.equal((await refusal(client.files.retrieve(file.id))).status, 404);
    assert.deepEqual(await blobs(), { whole: [], incoming: [] });
  });

  test('files are listed by purpose, in either order, page by page', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const purpose = index === 2 ? 'batch' : 'assistants';
      made.push((await client.files.create({ file: await toFile(lines(LINE), `${index}.jsonl`), purpose })).id);
    }
    const listed = async (query: OpenAI.FileListParams) => {
      const ids: string[] = [];
      for await (const { id } of client.files.list(query)) ids.push(id);
      return ids;
    };
    assert.deepEqual(await listed({ order: 'asc' }), made);
    assert.deepEqual(await listed({ limit: 2 }), made.toReversed());
    assert.deepEqual(await listed({ purpose: 'batch' }), [made[2]]);
    assert.deepEqual(await listed({ order: 'asc', after: made[3] ?? '' }), made.slice(4));
    assert.equal((await client.files.list({ limit: 2 })).has_more, true);
    for (const [query, param] of [
      [{ limit: 0 }, 'limit'],
      [{ limit: 10_001 }, 'limit'],
      [{ after: 'file-none' }, 'after'],
      [{ order: 'up' as 'asc' }, 'order'],
    ] as const) {
      const { status, param: named } = await refusal(client.files.list(query));
      assert.deepEqual([status, named], [400, param]);
    }
    for (const id of made) await client.files.delete(id);
  });

  test('for anybody else a file does not exist', async () => {
    const { id } = await client.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'vision' });
    assert.deepEqual((await other.files.list()).data, []);
    const { files } = other;
    for (const work of [() => files.retrieve(id), () => files.content(id), () => files.delete(id)]) {
      const { status, code } = await refusal(work());
      assert.deepEqual([status, code], [404, 'not_found']);
    }
    await client.files.delete(id);
  });

  test('a file that expires tells when', async () => {
    const file = await client.files.create({
      file: await toFile(Buffer.from('x'), 'x'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    assert.equal(file.expires_at, file.created_at + 3600);
    const short = { anchor: 'created_at', seconds: 5 } as const;
    const upload = client.files.create({
      file: await toFile(Buffer.from('x'), 'x'),
      purpose: 'vision',
      expires_after: short,
    });
    assert.equal((await refusal(upload)).param, 'expires_after[seconds]');
    await client.files.delete(file.id);
  });

  test('a wrong purpose is refused with those that are allowed', async () => {
    const file = await toFile(Buffer.from('x'), 'x');
    const { status, param, message } = await leavesNothing(() =>
      refusal(client.files.create({ file, purpose: 'fun' as 'batch' })),
    );
    assert.deepEqual([status, param], [400, 'purpose']);
    assert.match(message, /assistants, batch, fine-tune/);
  });

  test('a file that is too large is refused and names the setting, whether its length is declared or not', async () => {
    const { status, code, message } = await leavesNothing(async () =>
      refusal(client.files.create({ file: await toFile(Buffer.alloc(MAX_FILE_BYTES + 1), 'x'), purpose: 'vision' })),
    );
    assert.deepEqual([status, code], [413, 'body_too_large']);
    assert.match(message, /limits\.max_file_bytes: 2000000/);
    assert.equal((await sendForm(Buffer.alloc(MAX_FILE_BYTES + 2_000_000))).status, 413);
  });
});

describe('the file of a batch', () => {
  const upload = async (text: Buffer) =>
    leavesNothing(async () => refusal(client.files.create({ file: await toFile(text, 'b.jsonl'), purpose: 'batch' })));

  test('a malformed batch is refused with the numbers of its first lines at fault', async () => {
    const text = [
      JSON.stringify(LINE),
      '{"custom_id": "b", "method": "GET", "url": "/v1/x", "body": {}}',
      'hello',
      '',
      JSON.stringify(LINE),
      JSON.stringify({ ...LINE, custom_id: 'c', body: 'x' }),
      '{"custom_id": "d"',
      JSON.stringify({ ...LINE, custom_id: '' }),
      JSON.stringify({ ...LINE, custom_id: 'e', url: 'x' }),
    ].join('\n');
    const { status, code, param, message } = await upload(Buffer.from(text));
    assert.deepEqual([status, code, param], [400, 'invalid_file', 'file']);
    for (const told of [
      /Line 2: `method`/,
      /Line 3: it is no JSON object/,
      /Line 5: `custom_id` "a" stands in an earlier line/,
      /Line 6: `body`/,
      /Line 7: it breaks off/,
      /Line 8: `custom_id`/,
      /Line 9: `url`/,
    ])
      assert.match(message, told);
    assert.doesNotMatch(message, /Line [14]:/);
  });

  test('an empty batch is refused, and only ten faults are told', async () => {
    assert.match((await upload(Buffer.from('\n'))).message, /there is no line/);
    const { message } = await upload(Buffer.from('x\n'.repeat(1000)));
    assert.match(message, /Line 10:/);
    assert.doesNotMatch(message, /Line 11:/);
  });

  test('a batch of many lines that the network cuts anywhere is read', async () => {
    const many = lines(...Array.from({ length: 5_000 }, (_, index) => ({ ...LINE, custom_id: `c${index}` })));
    const { id, bytes } = await client.files.create({ file: await toFile(many, 'b.jsonl'), purpose: 'batch' });
    assert.equal(bytes, many.length);
    await client.files.delete(id);
  });
});

describe('forms', () => {
  test('a form in which something is wrong is refused with what, and leaves nothing behind', async () => {
    const thousand = Array.from({ length: 1000 }, (_, index) => part(`name="p${index}"`, 'x')).join('');
    for (const [body, code, message, type] of [
      [FILE, 'invalid_multipart', /boundary/, 'multipart/form-data'],
      [FILE, 'invalid_multipart', /boundary/, 'multipart/form-data; boundary="é"'],
      [FILE, 'invalid_multipart', /boundary/, 'application/json'],
      [
        `${FILE}${PURPOSE}--B--`,
        'invalid_multipart',
        /does not begin with the boundary/,
        'multipart/form-data; boundary=C',
      ],
      [`${PURPOSE}${FILE}`, 'invalid_multipart', /breaks off/],
      [
        `${PURPOSE}--B\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nhel`,
        'invalid_multipart',
        /breaks off/,
      ],
      [`${thousand}--B--`, 'invalid_multipart', /more than 128 parts/],
      [`${PURPOSE}${FILE}--B--x`, 'invalid_multipart', /behind the end/],
      [`${PURPOSE}--B--`, 'missing_parameter', /./],
      [`${FILE}--B--`, 'missing_parameter', /./],
      [`${PURPOSE}${FILE}${FILE}--B--`, 'ambiguous_parameter', /./],
      [`${PURPOSE}${part('name="file"', 'x')}--B--`, 'invalid_parameter', /filename/],
      [`${PURPOSE}--B\r\nx: ${'y'.repeat(9000)}\r\n\r\n`, 'invalid_multipart', /longer than 8192/],
    ] as const) {
      const answer = await leavesNothing(() => sendForm(body, type));
      assert.deepEqual([answer.status, answer.code], [400, code], body.slice(0, 200));
      assert.match(answer.message ?? '', message);
    }
    assert.deepEqual((await client.files.list()).data, []);
  });

  test('a file name from hell is a label and no path', async () => {
    for (const [written, kept] of [
      ['../../../../etc/passwd', 'passwd'],
      ['C:\\windows\\a.exe', 'a.exe'],
      ['a%22%0D%0Ab', 'a"__b'],
      ['', 'file'],
      ['..', '..'],
      ['x'.repeat(5000), 'x'.repeat(255)],
      ['\u202egpj.exe', '_gpj.exe'],
    ] as const) {
      const body = `${PURPOSE}${part(`name="file"; filename="${written}"`, 'x')}--B--\r\n`;
      const { status, filename } = await sendForm(body);
      assert.deepEqual([status, filename], [200, kept], written);
    }
    for await (const { id } of client.files.list()) {
      await (await client.files.content(id)).arrayBuffer();
      await client.files.delete(id);
    }
    assert.deepEqual(await blobs(), { whole: [], incoming: [] });
  });

  test('a client that leaves in the middle leaves nothing behind', async () => {
    const raw = await RawClient.open(gateway);
    const head = ['POST /v1/files HTTP/1.1', 'host: g', `authorization: Bearer ${KEY}`, 'content-length: 1000000'];
    head.push('content-type: multipart/form-data; boundary=B');
    raw.send(
      `${head.join('\r\n')}\r\n\r\n${PURPOSE}--B\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n`,
    );
    raw.send(Buffer.alloc(300_000));
    await eventually('the upload has begun', async () => (await blobs()).incoming.length === 1);
    raw.leave();
    await eventually('nothing is left', async () => (await blobs()).incoming.length === 0);
    await eventually('its place in flight is free', async () => (await gateway.metric('sluice_in_flight')) === 0);
  });

  test('a compressed upload and the files of a provider are refused', async () => {
    const ask = (headers: Record<string, string>) =>
      fetch(`${gateway.url}/v1/files`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'multipart/form-data; boundary=B', ...headers },
        body: `${PURPOSE}${FILE}--B--`,
      });
    assert.equal((await ask({ 'content-encoding': 'gzip' })).status, 415);
    assert.equal((await ask({ 'x-tfy-provider-name': 'openai' })).status, 404);
  });
});

test('a range of a file is given with 206, one that is not there is 416, and HEAD tells the length', async () => {
  const bytes = randomBytes(200_000);
  const { id } = await client.files.create({ file: await toFile(bytes, 'r.bin'), purpose: 'user_data' });
  const get = async (range: string | undefined, method = 'GET') => {
    const headers = { authorization: `Bearer ${KEY}`, ...(range && { range }) };
    const response = await fetch(`${gateway.url}/v1/files/${id}/content`, { method, headers });
    return { response, body: Buffer.from(await response.arrayBuffer()) };
  };
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=1000-150000', 1000, 150_001],
    ['bytes=199990-', 199_990, 200_000],
    ['bytes=-5', 199_995, 200_000],
    ['bytes=5-999999999', 5, 200_000],
  ] as const) {
    const { response, body } = await get(range);
    assert.equal(response.status, 206, range);
    assert.equal(response.headers.get('content-range'), `bytes ${start}-${end - 1}/200000`);
    assert.ok(body.equals(bytes.subarray(start, end)), range);
  }
  for (const range of [undefined, 'bytes=5-1', 'bytes=0-1,3-4', 'lines=1-2']) {
    const { response, body } = await get(range);
    assert.equal(response.status, 200);
    assert.ok(body.equals(bytes));
  }
  const { response, body: refused } = await get('bytes=200000-');
  const rangeRefusal = refused.toString();
  assert.equal(response.status, 416);
  assert.equal(JSON.parse(rangeRefusal).error.code, 'range_not_satisfiable');
  assert.equal(response.headers.get('content-range'), 'bytes */200000');
  assert.equal((await get(undefined, 'HEAD')).response.headers.get('content-length'), '200000');
  await client.files.delete(id);
});

test('with `files: {shared_with: team}` a file is its team’s', async (t) => {
  const shared = await startGateway({ keys, server: { files: { shared_with: 'team' } } });
  t.after(() => shared[Symbol.asyncDispose]());
  const mine = sdk(shared, KEY);
  const { id } = await mine.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose: 'vision' });
  assert.equal((await sdk(shared, MATE_KEY).files.retrieve(id)).id, id);
  assert.equal((await refusal(sdk(shared, OTHER_KEY).files.retrieve(id))).status, 404);
  assert.equal((await sdk(shared, MATE_KEY).files.delete(id)).deleted, true);
  assert.equal((await refusal(mine.files.retrieve(id))).status, 404);
});
