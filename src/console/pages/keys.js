// API keys: made, rotated, revoked. A token is shown once, when it is made.
import { call, html, moment, queryOf, to, useAction, useAnswer, useMay } from './core.js';
import { useState } from './lib/hooks.js';
import { Answered, Copyable, Dialog, Empty, Fault, Field, Mark, Table } from './parts.js';

const STATES = [
  ['', 'All'],
  ['active', 'Active'],
  ['rotated', 'Rotated'],
  ['revoked', 'Revoked'],
  ['expired', 'Expired'],
];
const KINDS = { active: 'good', rotated: 'warn', revoked: 'bad', expired: 'plain' };

export function Keys({ query }) {
  const mayChange = useMay('admin');
  const wanted = { state: query.get('state'), subject: query.get('subject'), page_token: query.get('page_token') };
  const keys = useAnswer(`/admin/keys?${queryOf({ limit: 50, ...wanted })}`);
  const [dialog, setDialog] = useState();
  const [subject, setSubject] = useState(wanted.subject ?? '');
  const close = () => {
    setDialog(undefined);
    keys.again();
  };
  const filter = (event) => {
    event.preventDefault();
    location.assign(to('/keys', { state: wanted.state, subject }));
  };
  return html`
    <form class="fields" onSubmit=${filter} aria-label="Filters">
      <${Field} label="State" value=${wanted.state ?? ''} options=${STATES} onInput=${(state) => location.assign(to('/keys', { ...wanted, page_token: undefined, state }))} />
      <${Field} label="Subject" placeholder="user:EMAIL or virtualaccount:NAME" value=${subject} onInput=${setSubject} size="28" />
      <div class="buttons"><button type="submit">Filter</button></div>
    </form>
    ${
      mayChange
        ? html`<div class="buttons"><button type="button" class="first" onClick=${() => setDialog({ kind: 'new' })}>New key</button></div>`
        : html`<p class="quiet">You may look at keys; to make, rotate or revoke them needs the role admin.</p>`
    }
    <p class="quiet">Keys of the configuration (<code>sluice/api-keys</code>) are not on this list: they are changed where they are written.</p>
    <${Answered} of=${keys} what="keys">
      ${({ data, next_page_token: next }) =>
        data.length === 0
          ? html`<${Empty} title="No key here"><p>${wanted.state || wanted.subject ? 'No key meets the filter.' : html`Make the first one with “New key”, or with <code>sluice keys create</code>. Clients send it as their API key.`}</p></${Empty}>`
          : html`<${Table}
                caption="API keys"
                rows=${data}
                keyOf=${({ id }) => id}
                columns=${[
                  { name: 'Name or id', header: true, of: (key) => html`${key.name ?? key.id}<br /><a href=${to('/requests', { key: key.id })}>requests</a>` },
                  { name: 'Subject', of: (key) => key.subject },
                  { name: 'State', of: (key) => html`<${Mark} kind=${KINDS[key.state] ?? 'plain'}>${key.state}</${Mark}>${key.rotation_due ? ' rotation is due' : ''}` },
                  { name: 'May use', of: (key) => (key.models ? key.models.join(', ') : 'all models of its subject') },
                  { name: 'Teams', of: (key) => key.teams.join(', ') },
                  { name: 'Made', of: (key) => moment(key.created_at) },
                  { name: 'Ends', of: (key) => (key.expires_at ? moment(key.expires_at) : 'never') },
                  ...(mayChange
                    ? [
                        {
                          name: 'Change',
                          of: (key) =>
                            key.state === 'active' &&
                            html`<button type="button" onClick=${() => setDialog({ kind: 'rotate', key })}>Rotate<span class="unseen"> ${key.name ?? key.id}</span></button>${' '}
                              <button type="button" class="danger" onClick=${() => setDialog({ kind: 'revoke', key })}>Revoke<span class="unseen"> ${key.name ?? key.id}</span></button>`,
                        },
                      ]
                    : []),
                ]}
              />
              <div class="buttons">${next && html`<a class="button" href=${to('/keys', { ...wanted, page_token: next })}>More</a>`}</div>`}
    </${Answered}>
    ${dialog?.kind === 'new' && html`<${NewKey} onClose=${close} />`}
    ${dialog?.kind === 'rotate' && html`<${Rotate} of=${dialog.key} onClose=${close} />`}
    ${dialog?.kind === 'revoke' && html`<${Revoke} of=${dialog.key} onClose=${close} />`}
  `;
}

const listOf = (text) => text.split(/[\s,]+/).filter((each) => each !== '');

function NewKey({ onClose }) {
  const [values, setValues] = useState({ subject: '', name: '', models: '', teams: '', metadata: '', expires_in: '90d', token_type: '' });
  const field = (name) => ({ value: values[name], onInput: (value) => setValues({ ...values, [name]: value }) });
  const make = useAction(() => {
    const { subject, name, models, teams, metadata, expires_in, token_type } = values;
    const body = { subject };
    if (name) body.name = name;
    if (models.trim()) body.models = listOf(models);
    if (teams.trim()) body.teams = listOf(teams);
    if (metadata.trim()) body.metadata = Object.fromEntries(listOf(metadata).map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]));
    if (expires_in) body.expires_in = expires_in;
    if (token_type) body.token_type = token_type;
    return call('/admin/keys', { method: 'POST', body });
  });
  const submit = (event) => {
    event.preventDefault();
    make.run();
  };
  return html`<${Dialog} title="New key" onClose=${onClose}>
    ${
      make.done
        ? html`<${Token} of=${make.done} onClose=${onClose} />`
        : html`<form onSubmit=${submit}>
            ${make.error && html`<${Fault} error=${make.error} />`}
            <div class="fields">
              <${Field} label="Subject" required placeholder="user:ann@example.com" ...${field('subject')} hint="user:EMAIL or virtualaccount:NAME: whose limits, budgets and access it has." />
              <${Field} label="Name" maxlength="64" ...${field('name')} />
              <${Field} label="Models" placeholder="openai/*" ...${field('models')} hint="Patterns account/model, with spaces between; none: all that the subject may use." />
              <${Field} label="Teams" ...${field('teams')} />
              <${Field} label="Metadata" placeholder="project=apollo" ...${field('metadata')} />
              <${Field} label="Ends in" placeholder="90d" ...${field('expires_in')} hint="A whole number with s, m, h, d or w; empty: as its account says, else never." />
              <${Field} label="Form" ...${field('token_type')} options=${[['', 'As its account says'], ['jwt', 'JWT'], ['opaque', 'Opaque']]} />
            </div>
            <div class="buttons"><button class="first" type="submit" disabled=${make.isBusy}>Make it</button><button type="button" onClick=${onClose}>Cancel</button></div>
          </form>`
    }
  </${Dialog}>`;
}

function Token({ of, onClose }) {
  return html`<p>This is the only time that the token is shown. It works now.</p>
    <${Copyable} text=${of.token} label="Copy the token" />
    ${of.replaces && html`<p>The old one works until ${moment(of.replaces.works_until)}.</p>`}
    <div class="buttons"><button type="button" class="first" onClick=${onClose}>I have it</button></div>`;
}

function Rotate({ of, onClose }) {
  const [grace, setGrace] = useState('24h');
  const rotate = useAction(() => call(`/admin/keys/${encodeURIComponent(of.id)}/rotate`, { method: 'POST', body: { grace_period: grace } }));
  const submit = (event) => {
    event.preventDefault();
    rotate.run();
  };
  return html`<${Dialog} title=${`Rotate ${of.name ?? of.id}`} onClose=${onClose}>
    ${
      rotate.done
        ? html`<${Token} of=${rotate.done} onClose=${onClose} />`
        : html`<form onSubmit=${submit}>
            ${rotate.error && html`<${Fault} error=${rotate.error} />`}
            <p>A new token is made for ${of.subject}, with the same rights.</p>
            <${Field} label="The old one goes on for" value=${grace} onInput=${setGrace} hint="24h, 7d …; 0s ends it at once." />
            <div class="buttons"><button class="first" type="submit" disabled=${rotate.isBusy}>Rotate</button><button type="button" onClick=${onClose}>Cancel</button></div>
          </form>`
    }
  </${Dialog}>`;
}

function Revoke({ of, onClose }) {
  const revoke = useAction(async () => {
    await call(`/admin/keys/${encodeURIComponent(of.id)}`, { method: 'DELETE' });
    onClose();
  });
  return html`<${Dialog} title=${`Revoke ${of.name ?? of.id}?`} onClose=${onClose}>
    ${revoke.error && html`<${Fault} error=${revoke.error} />`}
    <p>Clients that use it are refused from now on, on other gateways within five seconds. It cannot be taken back.</p>
    <div class="buttons"><button type="button" class="danger" disabled=${revoke.isBusy} onClick=${() => revoke.run()}>Revoke</button><button type="button" onClick=${onClose}>Cancel</button></div>
  </${Dialog}>`;
}
