// The shell: who is signed in, where one is, and the page that belongs to the address.
import { call, html, readAddress, SessionContext, to, useAction, useSessionForCalls } from './core.js';
import { useCallback, useContext, useEffect, useLayoutEffect, useRef, useState } from './lib/hooks.js';
import { render } from './lib/preact.js';
import { Fault, Field } from './parts.js';

/** Address, name in the menu, module, the export that is the page, and what it needs. Each module is loaded when it is first shown. */
const PAGES = [
  ['/', 'Overview', () => import('./overview.js'), 'Overview'],
  ['/requests', 'Requests', () => import('./requests.js'), 'Requests'],
  ['/tail', 'Live tail', () => import('./requests.js'), 'Tail'],
  ['/models', 'Models and targets', () => import('./models.js'), 'Models'],
  ['/keys', 'Keys', () => import('./keys.js'), 'Keys'],
  ['/limits', 'Limits and budgets', () => import('./limits.js'), 'Limits', 'data'],
  ['/playground', 'Playground', () => import('./playground.js'), 'Playground', 'operator'],
  ['/guardrails', 'Guardrail hits', () => import('./requests.js'), 'GuardrailHits'],
  ['/mcp', 'MCP servers', () => import('./services.js'), 'McpServers', 'data'],
  ['/batches', 'Batches and files', () => import('./services.js'), 'Batches', 'data'],
  ['/cache', 'Cache', () => import('./services.js'), 'Cache', 'data'],
  ['/alerts', 'Alerts', () => import('./limits.js'), 'Alerts', 'data'],
  ['/configuration', 'Configuration', () => import('./configuration.js'), 'ConfigurationPage', 'admin'],
  ['/audit', 'Audit log', () => import('./services.js'), 'Audit', 'data'],
  ['/clients', 'Set up a client', () => import('./clients.js'), 'Clients'],
];
/** Others would be told no by every question of that page. */
const NEEDS = {
  data: { holds: ({ data }) => data === 'all', words: 'It shows the data of everybody, and you see a part of it. Who runs the gateway opens more with gateway-data-access-config.' },
  operator: { holds: ({ role, read_only: isReadOnly }) => role !== 'viewer' && !isReadOnly, words: 'It needs the role operator.' },
  admin: { holds: ({ role, read_only: isReadOnly }) => role === 'admin' && !isReadOnly, words: 'It needs the role admin.' },
};
const READ_ONLY = 'This console only shows. Set operator.admin_key in sluice/server, start the gateway anew, and sign in with that key.';
const mayOpen = ([, , , , need], session) => need === undefined || NEEDS[need].holds(session);
const RECEIPT = ['/requests/', 'One request', () => import('./receipt.js'), 'ReceiptPage'];

function App() {
  const [session, setSession] = useState();
  const [fault, setFault] = useState();
  const load = useCallback(async () => {
    try {
      setSession(await call('/console/session'));
      setFault(undefined);
    } catch (error) {
      setFault(error);
    }
  }, []);
  useEffect(() => {
    load();
  }, []);
  useSessionForCalls(session, () => session?.signed_in && load());
  if (fault) return html`<main class="sign-in"><h1>Sluice console</h1><${Fault} error=${fault} again=${load} /></main>`;
  if (session === undefined) return html`<main class="sign-in"><p role="status">Loading …</p></main>`;
  if (!session.signed_in) return html`<${SignIn} session=${session} onDone=${load} />`;
  return html`<${SessionContext.Provider} value=${session}><${Shell} onLeft=${load} /></${SessionContext.Provider}>`;
}

/** What became of a sign-in at the identity provider: the address brings a code alone, since anybody may write an address. */
const SIGN_IN_ERRORS = {
  sign_in_refused: 'Nobody was signed in. The sign-in took too long, was begun in another window, or your identity provider does not vouch for you. Try again.',
  sign_in_limited: 'Too many sign-ins failed from your address. Wait a minute, and try again.',
  role_needed: 'You are known, but have no role in this console. Who runs the gateway gives one under `console.roles`.',
  identity_provider_failed: 'Your identity provider does not answer, or not as it should. The log of the gateway says why.',
};

/** A one-time token may come behind `#/token=`, which no server and no log sees. */
function SignIn({ session, onDone }) {
  const [key, setKey] = useState('');
  const [told, setTold] = useState();
  const { sign_in: ways = {} } = session;
  const sign = useAction(async (body) => {
    await call('/console/session', { method: 'POST', body });
    await onDone();
  });
  useEffect(() => {
    document.title = 'Sign in – Sluice console';
    const [, failed] = /^#sign_in_error=(\w+)$/.exec(location.hash) ?? [];
    if (failed !== undefined) {
      history.replaceState(null, '', '#/');
      const code = Object.hasOwn(SIGN_IN_ERRORS, failed) ? failed : 'sign_in_refused';
      setTold({ code, message: SIGN_IN_ERRORS[code] });
    }
    const [, token] = /[#/?&]token=([^&]+)/.exec(location.hash) ?? [];
    if (token === undefined) return;
    history.replaceState(null, '', '#/');
    sign.run({ token: decodeURIComponent(token) });
  }, []);
  const submit = (event) => {
    event.preventDefault();
    sign.run(ways.key || !ways.token ? { key } : { token: key });
  };
  const isToken = !ways.key && ways.token;
  return html`<main class="sign-in">
    <h1>Sluice console</h1>
    ${(sign.error ?? told) && html`<${Fault} error=${sign.error ?? told} />`}
    ${
      (ways.key || ways.token) &&
      html`<form onSubmit=${submit} class="card">
        <${Field}
          label=${isToken ? 'One-time token' : 'Admin key, or your own key'}
          type="password"
          value=${key}
          onInput=${setKey}
          name="key"
          required
          hint=${
            isToken
              ? 'The gateway prints it when it starts. It opens a console that looks and changes nothing.'
              : '`operator.admin_key` of the configuration, or a key of this gateway whose subject has a role here. The browser keeps a session, never the key.'
          }
        />
        <div class="buttons"><button class="first" type="submit" disabled=${sign.isBusy}>Sign in</button></div>
      </form>`
    }
    ${ways.oidc && html`<p><a class="button" href="/console/sign-in/oidc">Sign in with your identity provider</a></p>`}
    ${
      !ways.key &&
      !ways.token &&
      !ways.oidc &&
      html`<div class="note"><p>Nobody can sign in here. Set <code>operator.admin_key</code> in <code>sluice/server</code>, start the gateway anew, and sign in with that key.</p></div>`
    }
  </main>`;
}

function Shell({ onLeft }) {
  const session = useContext(SessionContext);
  const [address, setAddress] = useState(readAddress);
  const [isOpen, setOpen] = useState(false);
  // At once: whoever presses a link as soon as it is there is heard.
  useLayoutEffect(() => {
    const changed = () => {
      setAddress(readAddress());
      setOpen(false);
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const out = useAction(async () => {
    await call('/console/session', { method: 'DELETE' });
    await onLeft();
  });
  const isReceipt = address.path.startsWith(RECEIPT[0]);
  const page = isReceipt ? RECEIPT : PAGES.find(([path]) => path === address.path);
  const current = isReceipt ? '/requests' : address.path;
  return html`<a class="skip" href="#main" onClick=${skip}>To the content</a>
    <div class="shell">
      <nav class=${isOpen ? 'open' : ''} aria-label="Pages">
        <div class="top">
          <a class="brand" href="#/">Sluice</a>
          <button type="button" class="menu" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>Menu</button>
        </div>
        <div class="rest">
          <ul>
            ${PAGES.filter((each) => mayOpen(each, session)).map(([path, name]) => html`<li><a href=${to(path)} aria-current=${path === current ? 'page' : undefined}>${name}</a></li>`)}
          </ul>
          <p class="who">${session.subject ?? 'Admin key'}<br />${session.role}${session.data && session.data !== 'all' ? `, ${session.data} data` : ''}${session.read_only ? ', read-only' : ''}</p>
          <div class="buttons"><button type="button" onClick=${() => out.run()} disabled=${out.isBusy}>Sign out</button></div>
          ${out.error && html`<${Fault} error=${out.error} />`}
        </div>
      </nav>
      <main id="main" tabindex="-1">
        ${
          page && !mayOpen(page, session)
            ? html`<h1>${page[1]}</h1><div class="note"><p>${session.read_only ? READ_ONLY : NEEDS[page[4]].words} You are <strong>${session.subject}</strong>, ${session.role}.</p></div>`
            : page
            ? html`<${Page} key=${page[0]} page=${page} address=${address} />`
            : html`<h1>There is no such page</h1><p><a href="#/">Overview</a></p>`
        }
      </main>
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

/** Loads its module, names the document, and moves the focus to its heading, as a page of its own would. */
function Page({ page: [, name, load, exported], address }) {
  const [module, setModule] = useState();
  const [fault, setFault] = useState();
  const heading = useRef();
  useEffect(() => {
    document.title = `${name} – Sluice console`;
    if (isMoved) heading.current.focus();
    isMoved = true;
    load().then(setModule, setFault);
  }, []);
  const Found = module?.[exported];
  return html`<h1 ref=${heading} tabindex="-1">${name}</h1>
    ${fault && html`<${Fault} error=${fault} />`}
    ${Found ? html`<${Found} query=${address.query} path=${address.path} />` : !fault && html`<p role="status" class="quiet">Loading …</p>`}`;
}
/** The first page is where the browser put the focus itself. */
let isMoved = false;

const place = document.getElementById('app');
place.replaceChildren();
render(html`<${App} />`, place);
