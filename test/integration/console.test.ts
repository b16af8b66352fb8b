import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { axeFaults, browserSkip, startBrowser } from '../support/browser.ts';
import { eventually, KEY, type RunningGateway, startGateway } from '../support/gateway.ts';
import { idOf, writeLedger } from '../support/large-ledger.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const EXCHANGES = 100_000;
/** What would run, load or look like markup if a text were taken for more than a text. */
const ATTACK = `"'></script><script>window.attacked=1</script><img src=x onerror="window.attacked=1"><svg onload=attacked=1>\${attacked=1}javascript:attacked=1`;
const PAGES = [
  ['/', 'Overview', 'Tokens in'],
  ['/requests', 'Requests', 'rate_limited'],
  ['/tail', 'Live tail', 'Pause'],
  ['/models', 'Models and targets', 'demo/chat'],
  ['/keys', 'Keys', 'New key'],
  ['/limits', 'Limits and budgets', 'All free at'],
  ['/playground', 'Playground', 'Send'],
  ['/guardrails', 'Guardrail hits', 'secrets'],
  ['/mcp', 'MCP servers', 'No MCP server'],
  ['/batches', 'Batches and files', 'No batch'],
  ['/cache', 'Cache', 'Drop cached answers'],
  ['/alerts', 'Alerts', 'No message was sent'],
  ['/configuration', 'Configuration', 'Check'],
  ['/audit', 'Audit log', 'sign-in'],
  ['/clients', 'Set up a client', 'OPENAI'.toLowerCase()],
] as const;

describe('the console in a browser', { skip: browserSkip }, () => {
  let gateway: RunningGateway;
  let browser: Browser;
  let page: Page;
  let folder: string;
  const complaints: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-console-'));
    await writeLedger(folder, EXCHANGES, (number) => {
      if (number === EXCHANGES - 1) {
        const metadataJson = JSON.stringify({ session_id: ATTACK, project: ATTACK });
        return {
          model: `lab/${ATTACK}`,
          target: `lab/${ATTACK}`,
          subject: `user:${ATTACK}`,
          metadataJson,
          errorDetail: ATTACK,
        };
      }
      if (number !== EXCHANGES - 2) return {};
      return {
        status: 400,
        outcome: 'error',
        errorCode: 'guardrail_blocked',
        guardrailsJson: JSON.stringify([
          {
            guardrail: 'own/secrets',
            hook: 'llm_input',
            operation: 'validate',
            strategy: 'enforce',
            result: 'failed',
            ms: 2,
            detail: ATTACK,
          },
        ]),
        attempts: 2,
        attemptsJson: JSON.stringify([
          { target: 'lab/model-1', error: 'upstream_error', ms: 120, status: 503, why: ATTACK },
        ]),
      };
    });
    gateway = await startGateway({
      folder,
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
        demo: true,
        ledger: { metadata_keys: ['session_id', 'project'] },
      },
      manifests: [
        {
          type: 'gateway-rate-limiting-config',
          rules: [{ id: 'all', when: {}, limit_to: 600, unit: 'requests_per_minute' }],
        },
        { type: 'gateway-budget-config', rules: [{ id: 'ci', when: {}, limit_to: 50, unit: 'cost_per_month' }] },
        {
          type: 'gateway-global-settings',
          logging_settings: { type: 'header_controlled', log_body_by_default: false },
        },
      ],
    });
    browser = await startBrowser();
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await signIn();
  });
  after(async () => {
    await browser?.close();
    await gateway?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function signIn(): Promise<void> {
    await page.goto(`${gateway.operatorUrl}/console/`);
    await page.waitForSelector('input[type=password]');
    await page.type('input[type=password]', ADMIN_KEY);
    await page.click('button[type=submit]');
    await page.waitForSelector('nav');
  }

  /** Goes there as a link does, and waits for what the page has once its questions are answered. */
  async function open(path: string, shows: string): Promise<void> {
    await page.evaluate(`location.hash = ${JSON.stringify(`#${path}`)}`);
    await shown(shows);
  }

  async function shown(text: string): Promise<void> {
    const found = `document.querySelector('main')?.innerText.includes(${JSON.stringify(text)})`;
    try {
      await page.waitForFunction(found, { timeout: 20_000 });
    } catch {
      assert.fail(`"${text}" is not on the page: ${await page.$eval('main', (main) => main.innerText)}`);
    }
  }

  const press = (label: string) => page.click(`::-p-aria([name="${label}"][role="button"])`);
  const fill = (label: string, text: string) => page.locator(`::-p-aria([name="${label}"])`).fill(text);

  it('a wrong key says so, and nothing of the ledger is told without one', async () => {
    const other = await (await browser.createBrowserContext()).newPage();
    await other.goto(`${gateway.operatorUrl}/console/#/requests`);
    await other.waitForSelector('input[type=password]');
    await other.type('input[type=password]', 'wrong');
    await other.click('button[type=submit]');
    await other.waitForSelector('[role=alert]');
    assert.doesNotMatch(await other.evaluate('document.body.innerText').then(String), /rate_limited/);
    await other.close();
  });

  it('each page shows what it is for over a hundred thousand exchanges, and passes axe, in light and dark, wide and narrow', async () => {
    for (const [path, heading, shows] of PAGES) {
      await open(path, shows);
      assert.equal(await page.$eval('h1', (h1) => h1.textContent), heading);
      for (const [scheme, width] of [
        ['light', 1280],
        ['dark', 390],
      ] as const) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await page.setViewport({ width, height: 800 });
        assert.deepEqual(await axeFaults(page), [], `${path} ${scheme}`);
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert.ok(Number(overflow) <= 0, `${path} is wider than a screen of ${width} by ${overflow}`);
      }
    }
    await page.setViewport({ width: 1280, height: 800 });
    assert.deepEqual(complaints, []);
  });

  it('the first view takes less than four tenths of a second of the browser, so less than one where that is slow', async () => {
    const session = await page.createCDPSession();
    await session.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
    await session.send('Performance.enable');
    const spentMs = async () => {
      const { metrics } = await session.send('Performance.getMetrics');
      return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN);
    };
    await page.goto('about:blank');
    const before = await spentMs();
    await page.goto(`${gateway.operatorUrl}/console/`);
    await shown('Tokens in');
    const ms = (await spentMs()) - before;
    await session.detach();
    assert.ok(ms > 0 && ms < 400, `${ms.toFixed(0)} ms of the main thread`);
  });

  it('texts of others are shown as they are and run nowhere', async () => {
    await open('/requests', ATTACK.slice(0, 20));
    await open(`/requests/${idOf(EXCHANGES - 1)}`, ATTACK);
    await open(`/requests/${idOf(EXCHANGES - 2)}`, ATTACK);
    await open('/?by=metadata.project', ATTACK);
    await open('/?by=model', 'lab/model-1');
    await open(`/requests?metadata=${encodeURIComponent(`project:${ATTACK}`)}`, 'user:');
    assert.equal(await page.evaluate('window.attacked'), undefined);
    assert.deepEqual(complaints, []);
  });

  it('a number of the overview leads to the requests that it sums', async () => {
    await open('/?by=user', 'ann@example.com');
    await page.click('::-p-text(ann@example.com)');
    await shown('user:ann@example.com');
    assert.match(page.url(), /#\/requests\?since=2\S+Z&until=2\S+Z&user=user%3Aann/);
    assert.doesNotMatch(await page.$eval('main tbody', (body) => body.innerText), /virtualaccount:ci/);
  });

  it('the numbers of the overview are those of the requests that they lead to, errors and cuts among them', async () => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const get = async (path: string) => JSON.parse(await (await fetch(gateway.operatorUrl + path, { headers })).text());
    const { since, until, rows } = await get('/admin/usage?by=model&since=24h');
    const row = rows.find(({ errors }: { errors: number }) => errors > 0);
    const found = new Set<string>();
    let after: string | null = '';
    while (after !== null) {
      const filter = `since=${since}&until=${until}&asked=${encodeURIComponent(row.model)}&outcome=failed&limit=500`;
      const page: { requests: { id: string }[]; next: string | null } = await get(
        `/admin/requests?${filter}${after === '' ? '' : `&after=${after}`}`,
      );
      for (const { id } of page.requests) found.add(id);
      after = page.next;
    }
    assert.equal(found.size, row.errors);
  });

  it('a filter that little meets is looked for further back, until it is stopped or all was seen', async () => {
    await open('/requests?guardrail=own%2Fsecrets', 'guardrail_blocked');
    await shown('These are the oldest of this time');
    assert.equal(await page.$$eval('main tbody tr', (found) => found.length), 1);
  });

  it('one request tells why it was refused, what to do, its attempts and its guards', async () => {
    await open(`/requests/${idOf(EXCHANGES - 2)}`, 'What to do');
    await shown('own/secrets');
    await shown('lab/model-1');
  });

  it('a key is made, shown once, works, and is void when it was revoked', async () => {
    await open('/keys', 'New key');
    await press('New key');
    await fill('Subject', 'user:eve@example.com');
    await fill('Name', 'laptop of eve');
    await press('Make it');
    await page.waitForSelector('dialog pre');
    const token = await page.$eval('dialog pre', (pre) => pre.innerText);
    const status = async () =>
      (await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status;
    assert.equal(await status(), 200);
    await press('I have it');
    await shown('laptop of eve');
    assert.equal(String(await page.evaluate('document.body.innerText')).includes(token), false);
    await page.click('::-p-aria(Revoke laptop of eve)');
    await page.waitForSelector('dialog[open] button.danger');
    await page.click('dialog[open] button.danger');
    await shown('revoked');
    assert.equal(await status(), 401);
  });

  it('the playground streams two models beside each other and shows tokens, times and receipts', async () => {
    await open('/playground?model=demo%2Fchat&model=demo%2Fchat', 'Send');
    await fill('API key of this gateway', KEY);
    await fill('Message', 'What is a sluice?');
    await press('Send');
    await page.waitForFunction('document.querySelectorAll("main .sides dd a").length === 2', { timeout: 20_000 });
    await page.waitForFunction('/Added by the gateway/.test(document.querySelector("main").innerText)', {
      timeout: 20_000,
    });
    assert.match(await page.$eval('.sides .said', (said) => said.innerText), /\w{3}/);
  });

  it('a kept request is replayed as it was, all its turns and tools, on a model of one’s choice', async () => {
    const messages = [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'My name is Ann.' },
      { role: 'assistant', content: 'Hello Ann.' },
      { role: 'user', content: 'What is my name?' },
    ];
    const tools = [{ type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } }];
    const asked = { model: 'demo/chat', messages, tools, max_tokens: 7, user: 'ann' };
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEY}`,
        'content-type': 'application/json',
        'x-tfy-logging-config': '{"enabled": true}',
      },
      body: JSON.stringify(asked),
    });
    await answer.text();
    const id = answer.headers.get('x-sluice-exchange-id');
    const admin = { authorization: `Bearer ${ADMIN_KEY}` };
    await eventually('its bodies are kept', async () => {
      const found = await fetch(`${gateway.operatorUrl}/admin/requests/${id}`, { headers: admin });
      return (await found.text()).includes('My name is Ann.');
    });
    await open(`/requests/${id}`, 'Replay in the playground');
    await page.click('::-p-text(Replay in the playground)');
    await shown('4 messages, 1 tool');
    await fill('Model 1', 'demo/embedding');
    await fill('API key of this gateway', KEY);
    const replayed = page.waitForRequest((request) => request.url().includes('/admin/playground/'));
    await press('Send');
    const { stream_options, ...sent } = JSON.parse((await replayed).postData() ?? '').request;
    assert.deepEqual(sent, { ...asked, model: 'demo/embedding', stream: true });
    assert.deepEqual(stream_options, { include_usage: true });
    await page.click('::-p-text(Send it as it was)');
    assert.equal(await page.$eval('textarea', (area) => area.value), 'Be short.');
    assert.deepEqual(await axeFaults(page), []);
  });

  it('all that meets the filters is exported, page after page, with how far it is', async () => {
    const session = await browser.target().createCDPSession();
    await session.send('Browser.setDownloadBehavior', { behavior: 'deny' });
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const until = new Date(Date.now() - 7_200_000).toISOString();
    const since = new Date(Date.now() - 7_200_000 - 900_000).toISOString();
    let expected = 0;
    for (let after: string | null = ''; after !== null; ) {
      const path: string = `/admin/requests?since=${since}&until=${until}&limit=500${after && `&after=${after}`}`;
      const found = JSON.parse(await (await fetch(gateway.operatorUrl + path, { headers })).text());
      expected += found.requests.length;
      after = found.next;
    }
    assert.ok(expected > 1_000, String(expected));
    await open(`/requests?since=${since}&until=${until}`, 'Download all of these');
    await press('Download all of these as JSONL');
    await shown('so far');
    await shown(`${expected.toLocaleString('en')} requests written.`);
    await session.detach();
  });

  it('a key that the gateway does not know is refused in the playground, in its own words', async () => {
    await open('/playground?model=demo%2Fchat', 'Send');
    await fill('API key of this gateway', 'sk-unknown');
    await fill('Message', 'hello');
    await press('Send');
    await shown('invalid_api_key');
    await page.waitForSelector('nav');
  });

  it('the live tail shows a request that ends now', async () => {
    await open('/tail', 'Watching');
    const body = JSON.stringify({ model: 'demo/chat', messages: [{ role: 'user', content: 'hello' }] });
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })).text();
    await shown('demo/chat');
  });

  it('a configuration is checked before it is written, and its secrets are neither shown nor lost', async () => {
    await open('/configuration', 'Check');
    const text = await page.$eval('textarea', (area) => area.value);
    assert.equal(text.includes(KEY) || text.includes(ADMIN_KEY), false);
    assert.match(text, /\(secret 1\)/);
    await fill('Text', text.replace('limit_to: 600', 'limit_to: many'));
    await press('Check');
    await shown('It would not be taken');
    await fill('Text', text.replace('limit_to: 600', 'limit_to: 700'));
    await press('Check');
    await shown('No fault');
    await press('Apply …');
    await page.waitForSelector('dialog[open] button.danger');
    await page.click('dialog[open] button.danger');
    await shown('Written');
    const written = await readFile(gateway.configFile, 'utf8');
    assert.ok(written.includes(ADMIN_KEY) && written.includes(KEY) && written.includes('limit_to: 700'));
  });

  it('the editor tells what the key under the cursor means, and leads from a fault to its line', async () => {
    await open('/configuration', 'Check');
    await page.waitForFunction('document.querySelector("textarea").value.includes("limit_to: 700")');
    const textArea = 'const area = document.querySelector("textarea");';
    await page.evaluate(`(() => { ${textArea} area.focus(); const at = area.value.indexOf('limit_to: 700') + 2;
      area.setSelectionRange(at, at); })()`);
    await page.keyboard.press('ArrowRight');
    await shown('How much of the unit.');
    await shown('a number, 0 or more');
    const text = await page.$eval('textarea', (area) => area.value);
    await fill('Text', text.replace('limit_to: 700', 'limit_to: many'));
    await press('Check');
    await shown('It would not be taken');
    await page.click('main td button');
    const selected = await page.evaluate(
      `(() => { ${textArea} return area.value.slice(area.selectionStart, area.selectionEnd); })()`,
    );
    assert.match(String(selected), /limit_to: many/);
    assert.deepEqual(await axeFaults(page), []);
  });

  it('every page is reached by keys alone, and the heading has the focus then', async () => {
    await open('/', 'Tokens in');
    await page.focus('nav a[href="#/limits"]');
    await page.keyboard.press('Enter');
    await shown('Rate limits');
    assert.equal(await page.evaluate('document.activeElement.tagName'), 'H1');
  });

  it('a person who signed out sees the sign-in page again, and an old address asks for the key first', async () => {
    await press('Sign out');
    await page.waitForSelector('input[type=password]');
    await page.goto(`${gateway.operatorUrl}/console/#/keys`);
    await page.waitForSelector('input[type=password]');
  });
});
