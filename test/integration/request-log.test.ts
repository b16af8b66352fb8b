import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { ask, messages } from '../support/chat-client.ts';
import { disposeAfter } from '../support/dispose-after.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import {
  chunkEvent,
  completion,
  DONE_EVENT,
  type FakeProvider,
  type ReceivedRequest,
  sendJson,
  startProvider,
  USAGE_EVENT,
} from '../support/provider.ts';
import { openAccount, startEvents } from '../support/scripted-provider.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const CARD = '4111 1111 1111 1111';
const MAIL = 'ann@example.com';

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, whose fields the tests look at
type Json = any;

let provider: FakeProvider;
let receiver: FakeProvider;
let gateway: RunningGateway;
const delivered: ReceivedRequest[] = [];

before(async () => {
  provider = await startProvider((request, response) => {
    const { model, stream } = JSON.parse(request.body.toString());
    if (model === 'broken') sendJson(response, 500, { error: { message: 'no' } });
    else if (stream) {
      startEvents(response);
      // No piece of it is an address.
      const pieces = ['write to ann', '@exam', 'ple.com', ' soon'];
      for (const content of pieces) response.write(chunkEvent({ content }));
      response.end(chunkEvent({}, 'stop') + USAGE_EVENT + DONE_EVENT);
    } else sendJson(response, 200, completion(`card\n${CARD}`));
  });
  receiver = await startProvider((request, response) => {
    delivered.push(request);
    sendJson(response, 200, {});
  });
  gateway = await startGateway({
    server: {
      threads: 2,
      operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
      ledger: { metadata_keys: ['session_id', 'env'] },
      request_log: {
        max_body_bytes: 4096,
        redact: [{ preset: 'credit_card' }, { preset: 'email', replacement: '<mail>' }],
      },
    },
    keys: [
      { name: 'test', key: KEY, subject: 'user:bob@example.com', teams: ['search'] },
      { name: 'secret', key: 'secret', subject: 'user:secret@example.com' },
      { name: 'other', key: 'other', subject: 'virtualaccount:ci' },
    ],
    manifests: [
      openAccount('p', `${provider.origin}/v1`),
      { type: 'gateway-global-settings', logging_settings: { type: 'header_controlled', log_body_by_default: true } },
      {
        type: 'gateway-logging-config',
        name: 'rules',
        rules: [
          { id: 'all', tracing_project_fqn: 'tracing-project:tenant/main' },
          { id: 'none', when: { subjects: ['user:secret@example.com'] }, log_bodies: false },
        ],
      },
      {
        type: 'tracing-project',
        name: 'main',
        storage: { type: 'controlplane-managed' },
        collaborators: [],
        traces_retention_duration_days: 7,
      },
      {
        type: 'gateway-data-routing-config',
        destinations: [
          {
            name: 'elsewhere',
            enabled: true,
            when: [{ field: 'metadata', key: 'env', operator: 'IN', value: ['eu'] }],
            storage: { type: 'customer-managed', storage_integration_fqn: 'a:b:c' },
          },
        ],
        default: { storage: { type: 'controlplane-managed' } },
      },
      {
        type: 'gateway-data-access-config',
        rules: [
          {
            id: 'team',
            subjects: ['user:ann@example.com'],
            data_types: ['traces'],
            scope: 'team_data',
          },
          {
            id: 'eu',
            subjects: ['user:eu@example.com'],
            data_types: ['traces'],
            scope: 'all_data',
            filters: [{ field: 'metadata', key: 'env', operator: 'IN', value: ['eu'] }],
          },
        ],
      },
      { type: 'team', name: 'search', members: [MAIL] },
      {
        type: 'provider-account/webhook',
        name: 'hooks',
        integrations: [
          {
            name: 'log',
            type: 'integration/gateway-request-logger/webhook',
            webhook_url: `${receiver.origin}/log`,
            auth_data: { type: 'webhook-bearer', token: 'sk-hook', prefix: 'Token' },
          },
        ],
      },
    ],
  });
});
disposeAfter(() => [gateway, provider, receiver]);

async function exchange(body: object, headers: Record<string, string> = {}, key = KEY): Promise<string> {
  const response = await ask(gateway, { model: 'p/m', messages, ...body }, { headers, key });
  await response.text();
  return response.headers.get('x-sluice-exchange-id') ?? '';
}

async function admin(path: string): Promise<{ status: number; body: Json }> {
  const answer = await fetch(`${gateway.operatorUrl}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  return { status: answer.status, body: await answer.json() };
}

async function logged(id: string, isThere: (body: Json) => boolean = () => true): Promise<Json> {
  let body: Json;
  await eventually(
    `exchange ${id} in the log`,
    async () => {
      const answer = await admin(`/admin/requests/${id}`);
      ({ body } = answer);
      return answer.status === 200 && isThere(body);
    },
    10_000,
  );
  return body;
}
const withBodies = (body: Json): boolean => body.bodies !== null;

test('an exchange whose bodies are kept is shown with both, redacted, with its receipt and its project', async () => {
  const id = await exchange({ messages: [{ role: 'user', content: `I am ${MAIL}` }] });
  const { bodies, project, who, route } = await logged(id, withBodies);
  assert.equal(project, 'main');
  assert.deepEqual([who.subject, route.target], ['user:bob@example.com', 'p/m']);
  const asked = JSON.parse(bodies.request.text);
  assert.equal(asked.messages[0].content, 'I am <mail>');
  assert.equal(bodies.response.status, 200);
  // Behind an escape a number would not begin a word.
  assert.equal(JSON.parse(bodies.response.text).choices[0].message.content, 'card\n[REDACTED]');
});

test('an address that a stream brings in pieces is found, and its bytes are not kept', async () => {
  const id = await exchange({ stream: true });
  const { bodies } = await logged(id, withBodies);
  const { texts, text } = bodies.response;
  assert.equal(text, undefined);
  assert.deepEqual(
    texts.filter(({ at }: Json) => at === 'choices[0].delta.content'),
    [{ at: 'choices[0].delta.content', text: 'write to <mail> soon' }],
  );
});

test('a body that is longer than the bound is cut there, and no half of a secret is left at its end', async () => {
  const content = `${'x'.repeat(5_060)} ${MAIL} ${'y'.repeat(10_000)}`;
  const id = await exchange({ messages: [{ role: 'user', content }] });
  const { bodies } = await logged(id, withBodies);
  const { truncated, bytes, text } = bodies.request;
  assert.ok(truncated && bytes > 15_000 && text.length <= 4_096, `${truncated} ${bytes} ${text.length}`);
  assert.doesNotMatch(text, /ann/);
});

test('a caller who is not to be logged, says so, or belongs elsewhere has no bodies kept, and a row all the same', async () => {
  const ids = [
    await exchange({}, {}, 'secret'),
    await exchange({}, { 'x-tfy-logging-config': '{"enabled":false}' }),
    await exchange({}, { 'x-tfy-metadata': '{"env":"eu"}' }),
  ];
  const last = await exchange({});
  await logged(last, withBodies);
  for (const id of ids) assert.equal((await logged(id)).bodies, null);
});

test('a refusal and a failure are kept with what their clients were told', async () => {
  const refused = await logged(await exchange({ model: 'p/../m' }), () => true);
  assert.equal(refused.outcome.status, 400);
  const failed = await logged(await exchange({ model: 'p/broken' }), withBodies);
  assert.equal(failed.bodies.response.status, 502);
  assert.match(failed.bodies.response.text, /"error"/);
});

test('a wish that cannot be read is refused', async () => {
  for (const wish of ['yes', '{"enabled":"yes"}', '{"on":true}']) {
    const response = await ask(gateway, { model: 'p/m', messages }, { headers: { 'x-tfy-logging-config': wish } });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /x-tfy-logging-config/);
  }
});

test('webhooks get each exchange whose bodies are kept, with the key and the words of their manifest', async () => {
  const id = await exchange({ messages: [{ role: 'user', content: MAIL }] }, { 'x-tfy-metadata': '{"env":"hook"}' });
  const document = () => delivered.map(({ body }) => JSON.parse(body.toString())).find((each) => each.id === id);
  await eventually('the webhook', () => document() !== undefined, 10_000);
  const { subject, project, model, metadata, bodies } = document();
  assert.deepEqual([subject, project, model, metadata], ['user:bob@example.com', 'main', 'p/m', { env: 'hook' }]);
  assert.match(bodies.request.text, /<mail>/);
  assert.equal(delivered[0]?.headers['authorization'], 'Token sk-hook');
  await eventually(
    'the count',
    async () => (await gateway.metric('sluice_request_log_webhooks_total', { outcome: 'delivered' })) > 0,
    10_000,
  );
});

test('the list tells exchanges by user, status, session and metadata, in pages, and which have bodies', async () => {
  const ids: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    ids.push(
      await exchange({}, { 'x-tfy-metadata': '{"session_id":"list","env":"list"}' }, number < 3 ? KEY : 'other'),
    );
  }
  await logged(ids.at(-1)!, withBodies);
  const told = async (query: string): Promise<string[]> => {
    const { body } = await admin(`/admin/requests?${query}`);
    return body.requests.map(({ id }: Json) => id);
  };
  const newest = ids.toReversed();
  assert.deepEqual(new Set(await told('session=list')), new Set(newest));
  assert.equal((await told('session=list&user=bob@example.com')).length, 3);
  assert.equal((await told('metadata=env:list&metadata=session_id:list&user=virtualaccount:ci')).length, 2);
  assert.equal((await told('session=list&status=5xx')).length, 0);
  assert.ok((await told('status=failed')).length > 0);
  const pages: string[] = [];
  let after = '';
  do {
    const { body } = await admin(`/admin/requests?session=list&limit=2${after}`);
    pages.push(...body.requests.map(({ id }: Json) => id));
    assert.ok(body.requests.every(({ bodies }: Json) => bodies === true));
    after = body.next === null ? '' : `&after=${body.next}`;
  } while (after !== '');
  assert.deepEqual(pages, await told('session=list'));
  for (const wrong of ['status=abc', 'limit=0', 'after=x', 'metadata=x', 'as=bob', 'nothing=1']) {
    const { status, body } = await admin(`/admin/requests?${wrong}`);
    assert.deepEqual([status, body.error.param], [400, wrong.split('=')[0]]);
  }
});

test('as somebody else, only what the rules of data access let them see is told', async () => {
  const own = await exchange({}, {}, 'other');
  const ofTeam = await exchange({});
  const eu = await exchange({}, { 'x-tfy-metadata': '{"env":"eu"}' }, 'secret');
  for (const id of [own, ofTeam, eu]) await logged(id);
  const seen = async (subject: string): Promise<boolean[]> => {
    const { body } = await admin(`/admin/requests?limit=500&as=${subject}`);
    const list = body.requests.map(({ id }: Json) => id);
    const each = await Promise.all(
      [own, ofTeam, eu].map(async (id) => (await admin(`/admin/requests/${id}?as=${subject}`)).status === 200),
    );
    assert.deepEqual(
      each,
      [own, ofTeam, eu].map((id) => list.includes(id)),
    );
    return each;
  };
  assert.deepEqual(await seen('virtualaccount:ci'), [true, false, false]);
  assert.deepEqual(await seen(`user:${MAIL}`), [false, true, false]);
  assert.deepEqual(await seen('user:eu@example.com'), [false, false, true]);
  assert.deepEqual(await seen('user:nobody@example.com'), [false, false, false]);
});

test('a reader of the tail sees exchanges as they end, and after a break goes on where it was', async (t) => {
  const events = await watch(t, '/admin/requests/tail');
  const first = await exchange({});
  await eventually('the event', () => events.some(({ data }) => data.id === first));
  const seen = events.find(({ data }) => data.id === first);
  assert.deepEqual([seen?.event, seen?.data.subject, seen?.data.status], ['request', 'user:bob@example.com', 200]);
  const failures = await watch(t, '/admin/requests/tail?status=failed');
  const next = await exchange({ model: 'p/broken' });
  const again = await watch(t, `/admin/requests/tail?after=${seen?.id}`);
  for (const list of [failures, again]) {
    await eventually('the next event', () => list.some(({ data }) => data.id === next));
    assert.ok(!list.some(({ data }) => data.id === first));
  }
  const other = await watch(t, '/admin/requests/tail?as=virtualaccount:ci');
  await exchange({});
  const own = await exchange({}, {}, 'other');
  await eventually('the own event', () => other.length > 0);
  assert.deepEqual(
    other.map(({ data }) => data.id),
    [own],
  );
});

interface TailEvent {
  id: number;
  event: string;
  data: Json;
}

/** Events as they come, until the test is over. */
async function watch(t: TestContext, path: string): Promise<TailEvent[]> {
  const abandon = new AbortController();
  t.after(() => abandon.abort());
  const answer = await fetch(`${gateway.operatorUrl}${path}`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
    signal: abandon.signal,
  });
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  const events: TailEvent[] = [];
  let text = '';
  const read = async (): Promise<void> => {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + chunk).split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const [, id, event, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(part) ?? [];
        if (id !== undefined) events.push({ id: Number(id), event: event ?? '', data: JSON.parse(data ?? '') });
      }
    }
  };
  // It ends with the test.
  read().catch(() => {});
  return events;
}
