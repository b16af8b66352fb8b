import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { axeFaults, browserSkip, startBrowser } from '../support/browser.ts';
import { ask, messages } from '../support/chat-client.ts';
import { eventually, type RunningGateway, startGateway } from '../support/gateway.ts';
import { oauthIssuer, type TestIssuer } from '../support/oauth-servers.ts';

const ADMIN_KEY = 'admin-key-of-this-test-0123456789';
const CALLBACK = '/console/sign-in/oidc/callback';
const KEYS = ['vera', 'tom', 'olga', 'ada', 'nobody'].map((name) => ({
  name,
  key: `key of ${name}`,
  subject: `user:${name}@example.com`,
}));

/** A browser of somebody else: no cookie of another test is in it. */
async function newPage(browser: Browser, address: string): Promise<Page> {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.goto(address);
  return page;
}

async function shown(page: Page, text: string): Promise<void> {
  try {
    await page.waitForFunction(`document.querySelector('main')?.innerText.includes(${JSON.stringify(text)})`, {
      timeout: 20_000,
    });
  } catch {
    assert.fail(`"${text}" is not on the page: ${await page.evaluate('document.body.innerText')}`);
  }
}

async function open(page: Page, path: string, shows: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#${path}`)}`);
  await shown(page, shows);
}

async function signIn(page: Page, key: string): Promise<void> {
  await page.waitForSelector('input[type=password]');
  await page.type('input[type=password]', key);
  await page.click('button[type=submit]');
}

const menu = (page: Page) => page.$$eval('nav li a', (links) => links.map((link) => link.textContent ?? ''));
const textOf = async (page: Page) => String(await page.evaluate('document.body.innerText'));
const press = (page: Page, label: string) => page.click(`::-p-aria([name="${label}"][role="button"])`);
const fill = (page: Page, label: string, text: string) => page.locator(`::-p-aria([name="${label}"])`).fill(text);

describe('the console without an admin key, in a browser', { skip: browserSkip }, () => {
  it('the address that the start printed opens it once, shows everything and offers no change', async () => {
    const browser = await startBrowser();
    const gateway = await startGateway({ server: { demo: true } });
    try {
      await eventually('the address is printed', () => gateway.output().includes('#token='));
      const [, address = ''] = /Console, to look only: (\S+)/.exec(gateway.output()) ?? [];
      const page = await newPage(browser, address);
      await page.waitForSelector('nav');
      assert.doesNotMatch(page.url(), /token/, 'the token is gone from the address');
      await shown(page, 'No request in this time');
      assert.match(await textOf(page), /read-only/);
      const names = await menu(page);
      assert.ok(names.includes('Keys') && names.includes('Limits and budgets') && names.includes('Audit log'));
      assert.ok(!names.includes('Playground') && !names.includes('Configuration'));
      await open(page, '/keys', 'No key here');
      assert.doesNotMatch(await textOf(page), /New key\n/);
      await open(page, '/cache', 'Answers are cached');
      assert.doesNotMatch(await textOf(page), /Drop cached answers/);
      await open(page, '/models', 'demo/chat');
      await open(page, '/configuration', 'This console only shows');
      assert.deepEqual(await axeFaults(page), []);
      const again = await newPage(browser, address);
      await shown(again, 'sign_in_refused');
      assert.deepEqual(await axeFaults(again), []);
    } finally {
      await gateway[Symbol.asyncDispose]();
      await browser.close();
    }
  });
});

describe('roles in the console, in a browser', { skip: browserSkip }, () => {
  let gateway: RunningGateway;
  let browser: Browser;
  const ids: Record<string, string> = {};
  before(async () => {
    gateway = await startGateway({
      server: {
        operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY },
        demo: true,
        console: {
          roles: [
            { subjects: ['user:vera@example.com'], role: 'viewer' },
            { subjects: ['user:olga@example.com'], role: 'operator' },
            { subjects: ['user:ada@example.com'], role: 'admin' },
          ],
        },
      },
      keys: KEYS,
      manifests: [
        {
          type: 'gateway-data-access-config',
          name: 'access',
          rules: [
            { id: 'all', subjects: ['user:olga@example.com'], data_types: ['traces', 'metrics'], scope: 'all_data' },
          ],
        },
      ],
    });
    browser = await startBrowser();
    for (const name of ['vera', 'tom']) {
      const answer = await ask(gateway, { model: 'demo/chat', messages, max_tokens: 5 }, { key: `key of ${name}` });
      await answer.arrayBuffer();
      ids[name] = answer.headers.get('x-sluice-exchange-id') ?? '';
    }
    await eventually('both exchanges are in the ledger', async () => {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const answer = await fetch(`${gateway.operatorUrl}/admin/requests`, { headers });
      const { requests } = JSON.parse(await answer.text());
      return requests.length === 2;
    });
  });
  after(async () => {
    await browser?.close();
    await gateway?.[Symbol.asyncDispose]();
  });

  const signedIn = async (key: string): Promise<Page> => {
    const page = await newPage(browser, `${gateway.operatorUrl}/console/`);
    await signIn(page, key);
    await page.waitForSelector('nav');
    return page;
  };

  it('a viewer finds nothing of others: not in sums, lists, receipts, keys, nor by an address that somebody sent', async () => {
    const page = await signedIn('key of vera');
    await open(page, '/?by=user', 'vera@example.com');
    assert.doesNotMatch(await textOf(page), /tom@example/);
    await open(page, '/requests', 'user:vera@example.com');
    assert.doesNotMatch(await textOf(page), /tom@example/);
    await open(page, `/requests?user=${encodeURIComponent('user:tom@example.com')}`, 'No request here');
    await open(page, `/requests/${ids['vera']}`, 'user:vera@example.com');
    await open(page, `/requests/${ids['tom']}`, 'not_found');
    assert.doesNotMatch(await textOf(page), /tom@example/);
    const names = await menu(page);
    for (const hidden of [
      'Limits and budgets',
      'Alerts',
      'Audit log',
      'Batches and files',
      'Cache',
      'Playground',
      'Configuration',
    ])
      assert.ok(!names.includes(hidden), hidden);
    await open(page, '/audit', 'you see a part of it');
    await open(page, '/keys', 'You may look at keys');
    await open(page, '/models', 'demo/chat');
    assert.doesNotMatch(await textOf(page), /Reset/);
    for (const path of [
      `/admin/receipts/${ids['tom']}`,
      `/admin/requests/${ids['tom']}`,
      '/admin/audit',
      '/admin/configuration',
    ])
      assert.ok(
        [403, 404].includes(Number(await page.evaluate(`fetch('${path}').then(({ status }) => status)`))),
        path,
      );
  });

  it('an operator drops cached answers and makes no key', async () => {
    const page = await signedIn('key of olga');
    await open(page, '/requests', 'user:tom@example.com');
    await open(page, '/cache', 'Drop cached answers');
    await press(page, 'Drop cached answers …');
    await page.waitForSelector('dialog[open] button.danger');
    await page.click('dialog[open] button.danger');
    await shown(page, 'Dropped');
    await open(page, '/keys', 'needs the role admin');
    assert.ok(!(await menu(page)).includes('Configuration'));
  });

  it('an admin who signed in with a key of their own makes keys, and the audit log tells who it was', async () => {
    const page = await signedIn('key of ada');
    await open(page, '/keys', 'New key');
    await press(page, 'New key');
    await fill(page, 'Subject', 'user:new@example.com');
    await press(page, 'Make it');
    await page.waitForSelector('dialog pre');
    await press(page, 'I have it');
    await open(page, '/audit', '/admin/keys');
    assert.match(await textOf(page), /user:ada@example\.com/);
  });

  it('a caller without a role is told so, and a wrong key stands in the audit log', async () => {
    const page = await newPage(browser, `${gateway.operatorUrl}/console/`);
    await signIn(page, 'key of nobody');
    await shown(page, 'role_needed');
    const other = await newPage(browser, `${gateway.operatorUrl}/console/`);
    await signIn(other, 'no key at all');
    await shown(other, 'invalid_api_key');
    const admin = await signedIn(ADMIN_KEY);
    await open(admin, '/audit', 'invalid_api_key');
    assert.match(await textOf(admin), /127\.0\.0\.1/);
    assert.match(await textOf(admin), /role_needed/);
    assert.doesNotMatch(await textOf(admin), /no key at all/);
  });
});

describe('sign-in with an identity provider, in a browser', { skip: browserSkip }, () => {
  let issuer: TestIssuer;
  let gateway: RunningGateway;
  let browser: Browser;
  before(async () => {
    issuer = await oauthIssuer();
    const placeholder = await startGateway({
      server: { operator: { host: '127.0.0.1', port: 0, admin_key: ADMIN_KEY } },
    });
    const { port } = new URL(placeholder.operatorUrl);
    await placeholder[Symbol.asyncDispose]();
    // Under another name of this machine, so that the provider is another site to the browser.
    const publicUrl = `http://localhost:${port}`;
    const registration = await fetch(`${issuer.url}/reg`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: [publicUrl + CALLBACK],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
      }),
    });
    const { client_id: clientId } = JSON.parse(await registration.text());
    gateway = await startGateway({
      server: {
        operator: { host: '127.0.0.1', port: Number(port), admin_key: ADMIN_KEY },
        console: {
          public_url: publicUrl,
          roles: [{ subjects: ['user:ann@example.com'], role: 'viewer' }],
          oidc: { identity_provider: 'company', client_id: clientId, scopes: ['openid'] },
        },
      },
      manifests: [
        {
          type: 'sluice/identity-provider',
          name: 'company',
          issuer: issuer.url,
          jwks_uri: `${issuer.url}/jwks`,
          subject_claim: 'sub',
        },
      ],
    });
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await gateway?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const comesAs = async (user: string): Promise<Page> => {
    const { port } = new URL(gateway.operatorUrl);
    const page = await newPage(browser, `http://localhost:${port}/console/`);
    await page.setCookie({ name: 'user', value: user, url: issuer.url });
    await page.waitForSelector('a[href="/console/sign-in/oidc"]');
    await page.click('a[href="/console/sign-in/oidc"]');
    return page;
  };

  it('a press leads through the provider into the console, and signing out leads back to the door', async () => {
    const page = await comesAs('ann@example.com');
    await page.waitForSelector('nav');
    assert.match(await textOf(page), /user:ann@example\.com\nviewer, own data/);
    assert.match(page.url(), /\/console\/(#\/)?$/);
    await page.reload();
    await page.waitForSelector('nav');
    await press(page, 'Sign out');
    await page.waitForSelector('a[href="/console/sign-in/oidc"]');
  });

  it('a person whom the identity provider knows and no rule gives a role is told so in words', async () => {
    const page = await comesAs('eve@example.com');
    await shown(page, 'You are known, but have no role in this console');
    assert.doesNotMatch(page.url(), /sign_in_error/);
    assert.deepEqual(await axeFaults(page), []);
  });

  it('an address that somebody sent shows no sentence of theirs at the door', async () => {
    const { port } = new URL(gateway.operatorUrl);
    const page = await newPage(browser, `http://localhost:${port}/console/#sign_in_error=constructor`);
    await shown(page, 'sign_in_refused');
    await page.goto(`http://localhost:${port}/console/#sign_in_error=Call%20me`);
    await page.reload();
    await page.waitForSelector('input[type=password]');
    assert.doesNotMatch(await textOf(page), /Call me/);
  });
});
