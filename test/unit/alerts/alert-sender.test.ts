import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AlertSender, type AlertSenderOptions } from '../../../src/alerts/alert-sender.ts';
import type { BudgetAlert } from '../../../src/alerts/budget-alert.ts';
import type { NotificationTarget } from '../../../src/config/channels/notification-target.ts';
import type { BudgetAlerts } from '../../../src/config/rules/counted-rules.ts';
import { MetricRegistry } from '../../../src/telemetry/metric-registry.ts';
import { directHttp } from '../../support/direct-http.ts';
import { startSmtpServer } from '../../support/smtp-server.ts';

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

let origin: string;
let received: Received[];
let answer: (response: ServerResponse, request: Received) => void;
let close: () => void;
beforeEach(async () => {
  received = [];
  answer = (response) => response.end('ok');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = {
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      };
      received.push(one);
      answer(response, one);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => close());

const alert: BudgetAlert = {
  budget: 'search-daily',
  mode: 'enforce',
  appliesPer: ['user', 'metadata.project'],
  group: JSON.stringify(['user:bob@example.com', '<!channel> [x](http://evil)\nSubject: y']),
  unit: 'cost_per_day',
  counts: 'cost',
  period: 'day',
  periodStart: Date.UTC(2030, 0, 2),
  threshold: 90,
  spent: 91_259_999_999,
  limit: 100_000_000_000,
};

/** Resolves when all channels were tried; gives what was logged and counted. */
async function deliver(
  alerts: Partial<BudgetAlerts> & { targets: NotificationTarget[] },
  options: Partial<AlertSenderOptions> & { user?: string } = {},
): Promise<{ log: string; metrics: string }> {
  const lines: string[] = [];
  const write = (fields: object, message: string) => lines.push(JSON.stringify({ ...fields, message }));
  const log = { debug: write, info: write, warn: write, error: write };
  const sender = new AlertSender({
    http: directHttp,
    log,
    backoffMs: [1, 1],
    slackUrl: `${origin}/slack-api`,
    ...options,
  });
  const registry = new MetricRegistry();
  sender.register(registry);
  await new Promise<void>((resolve) => {
    const all = { thresholds: [90], sendTo: 'shared' as const, ...alerts };
    sender.send({ alert, alerts: all, user: options.user, onDone: resolve });
  });
  return { log: lines.join('\n'), metrics: await registry.render() };
}

describe('an alert', () => {
  it('an alert to a webhook has all that is to be known, in readable units', async () => {
    const headers = { authorization: 'Bearer t' };
    const { metrics } = await deliver({ targets: [{ type: 'webhook', url: `${origin}/hook`, headers }] });
    assert.equal(received[0]?.headers.authorization, 'Bearer t');
    const { text, ...body } = received[0]!.body;
    assert.deepEqual(body, {
      type: 'budget.threshold',
      budget: 'search-daily',
      mode: 'enforce',
      group: { user: 'user:bob@example.com', 'metadata.project': '<!channel> [x](http://evil)\nSubject: y' },
      unit: 'cost_per_day',
      currency: 'USD',
      threshold: 90,
      percent: 91.2,
      spent: 91.259999999,
      limit: 100,
      period_start: '2030-01-02T00:00:00.000Z',
      resets_at: '2030-01-03T00:00:00.000Z',
    });
    assert.match(
      String(text),
      /90% of 100\.00 US dollars .* user:bob@example\.com.*91\.259999999 US dollars \(91\.2%\)/,
    );
    assert.match(String(text), /2030-01-03 00:00 UTC/);
    assert.match(metrics, /sluice_alerts_sent_total{channel="webhook",outcome="sent"} 1/);
  });

  it('an alert is plain text for Slack and Teams: nothing in it calls a channel or becomes a link', async () => {
    await deliver({
      targets: [
        { type: 'slack-webhook', url: `${origin}/slack` },
        { type: 'ms-teams-webhook', url: `${origin}/teams` },
      ],
    });
    const bodyOf = (path: string) => received.find((each) => each.path === path)?.body;
    assert.match(String(bodyOf('/slack')?.['text']), /&lt;!channel&gt;/);
    const card = JSON.stringify(bodyOf('/teams'));
    assert.match(card, /application\/vnd\.microsoft\.card\.adaptive/);
    assert.match(card, /\\\\\[x\\\\\]/);
    assert.ok(!card.includes('[x](http'));
  });

  it('a Slack bot posts an alert in each of its channels, and a 200 that says no is a failure', async () => {
    answer = (response, { body }) =>
      response.end(JSON.stringify(body['channel'] === 'C1' ? { ok: true } : { ok: false, error: 'not_in_channel' }));
    const { log, metrics } = await deliver({
      targets: [{ type: 'slack-bot', botToken: 'xoxb-secret', channels: ['C1', 'C2'] }],
    });
    assert.deepEqual(received.map((each) => each.body['channel']).sort(), ['C1', 'C2']);
    assert.equal(received[0]?.headers.authorization, 'Bearer xoxb-secret');
    assert.match(metrics, /channel="slack-bot",outcome="sent"} 1/);
    assert.match(metrics, /channel="slack-bot",outcome="failed"} 1/);
    assert.match(log, /not_in_channel/);
    assert.ok(!log.includes('secret'));
  });

  it('an alert is a PagerDuty event that joins with earlier ones of its budget', async () => {
    await deliver({ targets: [{ type: 'pagerduty', integrationKey: 'k', url: `${origin}/v2/enqueue` }] });
    const { routing_key, event_action, dedup_key, payload } = received[0]!.body;
    assert.deepEqual([routing_key, event_action], ['k', 'trigger']);
    assert.match(String(dedup_key), /search-daily/);
    assert.match(JSON.stringify(payload), /"severity":"warning"/);
  });

  it('an alert is tried three times where that may help, and its address is in no log', async () => {
    answer = (response) => {
      response.statusCode = received.length < 3 ? 503 : 200;
      response.end();
    };
    const url = `${origin}/services/T0/B0/secret`;
    assert.match((await deliver({ targets: [{ type: 'slack-webhook', url }] })).metrics, /outcome="sent"} 1/);
    assert.equal(received.length, 3);
    answer = (response) => {
      response.statusCode = 503;
      response.end('T0/B0/secret');
    };
    const failed = await deliver({ targets: [{ type: 'slack-webhook', url }] });
    assert.equal(received.length, 6);
    assert.match(failed.log, /status 503/);
    assert.ok(!failed.log.includes('secret'));
    answer = (response) => {
      response.statusCode = 404;
      response.end();
    };
    await deliver({ targets: [{ type: 'slack-webhook', url }] });
    assert.equal(received.length, 7, 'what is wrong stays wrong');
  });

  it('an alert does not follow a redirect of its channel', async () => {
    answer = (response) => {
      response.writeHead(307, { location: `${origin}/elsewhere` });
      response.end();
    };
    const { metrics } = await deliver({ targets: [{ type: 'webhook', url: `${origin}/hook` }] });
    assert.deepEqual(
      received.map((each) => each.path),
      ['/hook'],
    );
    assert.match(metrics, /outcome="failed"} 1/);
  });

  it('an alert is given up at its deadline where a channel is silent, and others get theirs meanwhile', async () => {
    answer = (response, { path }) => {
      if (path !== '/silent') response.end();
    };
    const { log, metrics } = await deliver(
      {
        targets: [
          { type: 'webhook', url: `${origin}/silent` },
          { type: 'slack-webhook', url: `${origin}/slack` },
        ],
      },
      { deadlineMs: 30 },
    );
    assert.match(log, /no answer within 30 ms/);
    assert.match(metrics, /channel="webhook",outcome="failed"} 1/);
    assert.match(metrics, /channel="slack-webhook",outcome="sent"} 1/);
  });

  it('an alert that nobody listens to is logged with a code and no other reason', async () => {
    const { log } = await deliver({ targets: [{ type: 'webhook', url: 'http://127.0.0.1:1/secret' }] });
    assert.match(log, /"reason":"[A-Z_]+"|not reachable/);
    assert.ok(!log.includes('secret'));
  });
});

describe('an alert by e-mail', () => {
  const smtpOf = (port: number) => ({ host: '127.0.0.1', port, tls: false, username: 'u', password: 'p-secret' });

  it('an e-mail alert has the right sender and receivers, and a subject that holds no foreign line', async (context) => {
    const server = await startSmtpServer();
    context.after(() => server[Symbol.asyncDispose]());
    const target = {
      type: 'email' as const,
      smtp: smtpOf(server.port),
      from: 'sluice@example.com',
      to: ['ops@example.com'],
    };
    const { metrics } = await deliver({ targets: [target] });
    assert.match(metrics, /channel="email",outcome="sent"} 1/);
    assert.equal(server.auth, '\0u\0p-secret');
    assert.deepEqual([server.mails[0]?.from, server.mails[0]?.to], ['sluice@example.com', ['ops@example.com']]);
    const subjects = server.mails[0]!.data.split('\r\n\r\n')[0]!.match(/^Subject:.*$/gm);
    assert.equal(subjects?.length, 1);
    assert.match(subjects![0]!, /Budget search-daily: 90%/);
  });

  it('an e-mail alert goes to the breaching user where the budget says so, and to all where there is no user', async (context) => {
    const server = await startSmtpServer();
    context.after(() => server[Symbol.asyncDispose]());
    const targets: NotificationTarget[] = [
      { type: 'webhook', url: `${origin}/hook` },
      { type: 'email', smtp: smtpOf(server.port), from: 'sluice@example.com', to: ['ops@example.com'] },
    ];
    await deliver({ targets, sendTo: 'breaching-user' }, { user: 'bob@example.com' });
    assert.deepEqual(
      server.mails.map((mail) => mail.to),
      [['bob@example.com']],
    );
    assert.equal(received.length, 0);
    await deliver({ targets, sendTo: 'breaching-user' });
    assert.deepEqual(server.mails[1]?.to, ['ops@example.com']);
    assert.equal(received.length, 1);
  });

  it('an e-mail alert that the server refuses is not tried again, and no address or password is logged', async (context) => {
    const server = await startSmtpServer(['ops@example.com']);
    context.after(() => server[Symbol.asyncDispose]());
    const target = {
      type: 'email' as const,
      smtp: smtpOf(server.port),
      from: 'a@example.com',
      to: ['ops@example.com'],
    };
    const { log, metrics } = await deliver({ targets: [target] });
    assert.match(metrics, /channel="email",outcome="failed"} 1/);
    assert.match(log, /smtp: EENVELOPE 550/);
    assert.match(log, /"tries":1/);
    assert.ok(!/ops@|p-secret/.test(log));
  });

  it('an e-mail alert is never sent in the clear where TLS is asked for', async (context) => {
    const server = await startSmtpServer();
    context.after(() => server[Symbol.asyncDispose]());
    const smtp = { ...smtpOf(server.port), tls: true };
    const { log } = await deliver({ targets: [{ type: 'email', smtp, from: 'a@example.com', to: ['b@example.com'] }] });
    assert.equal(server.mails.length, 0);
    assert.equal(server.auth, undefined);
    assert.match(log, /smtp: ETLS/);
  });
});
