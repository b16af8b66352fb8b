import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { HttpClient } from '../../../src/core/http-client.ts';
import { journeyCookies } from '../../../src/mcp/oauth/own-addresses.ts';
import { PersonSignIn } from '../../../src/mcp/oauth/person-sign-in.ts';
import { OidcClient } from '../../../src/sign-in/oidc-client.ts';
import type { McpPageRequest } from '../../../src/threads/mcp-messages.ts';
import { configurationOf, loadText } from '../config/manifest-folder.ts';

const BASE = 'https://sluice.example.com';
const ISSUER = 'https://login.example.com';
const MANIFESTS = `type: sluice/server
mcp: {public_url: "${BASE}", oidc: {identity_provider: company, client_id: sluice}}
---
type: sluice/identity-provider
name: company
issuer: ${ISSUER}
jwks_uri: ${ISSUER}/jwks
audiences: [sluice]
subject_claim: sub
authorized_subjects: ["user:*"]
`;
const wanted = { page: 'authorize', query: 'client_id=a-client&state=its-own' } as const;

/** Answers discovery alone: whoever comes back is told that the provider failed, and so is known to have been on the way. */
const provider: HttpClient = ({ url }) => {
  const facts = { issuer: ISSUER, authorization_endpoint: `${ISSUER}/auth`, token_endpoint: `${ISSUER}/token` };
  const isDiscovery = url.includes('/.well-known/');
  const body = Buffer.from(isDiscovery ? JSON.stringify(facts) : '{}');
  return Promise.resolve({ status: isDiscovery ? 200 : 500, headers: {}, body });
};

/** A gateway of several that have the same secret. */
function gateway(t: TestContext, secret = 'a secret of the tests') {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const configuration = configurationOf(loadText(t, MANIFESTS));
  const client = new OidcClient({ http: provider, log: quiet, now });
  return { clock, person: new PersonSignIn({ secret, client, configuration: () => configuration, now }) };
}

function ignore(): void {}

/** Keeps the cookies of journeys, in the order of their names. */
class Browser {
  readonly id: string;
  journeys: (string | undefined)[] = [undefined, undefined, undefined];

  constructor(id: string) {
    this.id = id;
  }

  /** The state with which it leaves. */
  async leave(person: PersonSignIn): Promise<string> {
    const begun = await person.begin(wanted, { base: BASE, journeys: this.journeys }, this.id);
    assert.ok(typeof begun !== 'string');
    this.take(begun.cookie);
    return new URL(begun.location).searchParams.get('state') ?? '';
  }

  take(cookie: string): void {
    const [, name, value] = /^([^=]+)=([^;]*); Path=\/mcp\/oauth; .*HttpOnly; SameSite=Lax; Secure$/.exec(cookie) ?? [];
    this.journeys[journeyCookies(BASE).indexOf(name ?? '')] = value === '' ? undefined : value;
  }

  /** Whether the gateway knows what it left for. */
  async returns(person: PersonSignIn, state: string, browser: string = this.id): Promise<boolean> {
    const query = new URLSearchParams({ state, code: 'a-code', iss: ISSUER }).toString();
    const request: McpPageRequest = {
      id: 1,
      page: 'sign-in',
      method: 'GET',
      base: BASE,
      query,
      body: '',
      rest: '',
      browser,
      journeys: this.journeys,
      signedIn: undefined,
    };
    const back = await person.finish(request);
    if (back) this.take(back.cookie);
    if (back) assert.deepEqual(back.wanted, wanted);
    return back !== undefined;
  }
}

test('strangers who begin sign-ins of MCP crowd out nobody’s', async (t) => {
  const { person } = gateway(t);
  const ann = new Browser('ann');
  const state = await ann.leave(person);
  for (let index = 0; index < 5_000; index += 1) await new Browser(`stranger ${index}`).leave(person);
  assert.equal(await ann.returns(person, state), true);
});

test('a sign-in of MCP is finished once, in time, and by the browser that began it', async (t) => {
  const { person, clock } = gateway(t);
  const ann = new Browser('ann');
  const state = await ann.leave(person);
  assert.equal(await ann.returns(person, 'another state'), false);
  assert.equal(await ann.returns(person, state, 'a browser with a planted cookie'), false);
  const { journeys } = ann;
  ann.journeys = [...journeys];
  assert.equal(await ann.returns(person, state), true);
  assert.deepEqual(ann.journeys, [undefined, undefined, undefined]);
  ann.journeys = journeys;
  assert.equal(await ann.returns(person, state), false);
  const late = await ann.leave(person);
  clock.now += 600_000;
  assert.equal(await ann.returns(person, late), false);
});

test('three sign-ins of MCP wait in one browser at once, and a fourth takes the place of the first', async (t) => {
  const { person, clock } = gateway(t);
  const ann = new Browser('ann');
  const states: string[] = [];
  for (let index = 0; index < 4; index += 1) {
    states.push(await ann.leave(person));
    clock.now += 1;
  }
  const returned: boolean[] = [];
  for (const state of states) returned.push(await ann.returns(person, state));
  assert.deepEqual(returned, [false, true, true, true]);
});

test('a sign-in of MCP ends at any gateway with the same secret, and at no other', async (t) => {
  const ann = new Browser('ann');
  const state = await ann.leave(gateway(t).person);
  assert.equal(await ann.returns(gateway(t, 'another secret').person, state), false);
  assert.equal(await ann.returns(gateway(t).person, state), true);
});

test('a client that asks for more than a cookie holds is told so before anybody leaves', async (t) => {
  const { person } = gateway(t);
  const long = { page: 'authorize', query: `state=${'x'.repeat(4_000)}` } as const;
  const begun = await person.begin(long, { base: BASE, journeys: [] }, 'ann');
  assert.match(String(begun), /too long .*Sign in with a key/);
});
