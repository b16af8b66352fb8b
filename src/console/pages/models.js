// Accounts, models with prices, virtual models, and the health of targets.
import { call, count, html, milliseconds, moment, to, useAction, useAnswer, useMay } from './core.js';
import { useState } from './lib/hooks.js';
import { Answered, Empty, Fault, Field, Mark, Table } from './parts.js';

const KINDS = { up: 'good', recovering: 'warn', probing: 'warn', out: 'bad' };
const LIVE_MS = 5_000;
const MAX_SHOWN = 200;

export function Models() {
  const mayAsk = useMay('operator');
  const models = useAnswer('/admin/models');
  return html`
    <h2>Health</h2>
    <${Health} />
    <${Answered} of=${models} what="models">
      ${(data) => html`
        <h2>Virtual models</h2>
        ${
          data.virtual_models.length === 0
            ? html`<p class="quiet">None. A manifest <code>provider-account/virtual-model</code> puts one name before several models, with weights, fallbacks and hedges.</p>`
            : html`<${Table} caption="Virtual models" rows=${data.virtual_models} columns=${[
                { name: 'Model', header: true, of: ({ id, slug }) => html`${id}${slug ? ` (${slug})` : ''}` },
                { name: 'Chosen by', of: ({ strategy }) => strategy },
                { name: 'Targets', of: ({ targets }) => targets.map(({ target, weight, priority }) => html`<div>${target}${weight === null ? '' : ` · weight ${weight}`}${priority === null ? '' : ` · priority ${priority}`}</div>`) },
                ...(mayAsk ? [{ name: 'Try', of: ({ id }) => html`<a href=${to('/playground', { model: id })}>Test<span class="unseen"> ${id}</span></a>` }] : []),
              ]} />`
        }
        <h2>Accounts</h2>
        <${Table} caption="Accounts" rows=${data.accounts} columns=${[
          { name: 'Account', header: true, of: ({ name }) => name },
          { name: 'Kind', of: ({ type }) => type },
          { name: 'Provider', of: ({ provider }) => provider },
          { name: 'Keys', right: true, of: ({ credentials }) => count(credentials) },
          { name: 'Models', of: ({ takes_any_model: any }) => (any ? 'any that its provider has' : 'those it lists') },
          { name: 'Requests', of: ({ name }) => html`<a href=${to('/', { by: 'target' })}>sums<span class="unseen"> of ${name}</span></a>` },
        ]} />
        <h2>Models</h2>
        <${ModelTable} models=${data.models} />
      `}
    </${Answered}>
  `;
}

function ModelTable({ models }) {
  const mayAsk = useMay('operator');
  const [wanted, setWanted] = useState('');
  const found = models.filter(({ id }) => id.toLowerCase().includes(wanted.toLowerCase()));
  return html`
    <div class="fields"><${Field} label="Find" value=${wanted} onInput=${setWanted} type="search" size="36" /></div>
    ${
      found.length === 0
        ? html`<p class="quiet">No model has this in its name.</p>`
        : html`<${Table} caption="Models and list prices in dollars for a million tokens" rows=${found.slice(0, MAX_SHOWN)} keyOf=${({ id }) => id} columns=${[
            { name: 'Model', header: true, of: ({ id }) => id },
            { name: 'At the provider', of: (each) => each.provider_model },
            { name: 'For', of: ({ model_types: types }) => types.join(', ') },
            { name: 'Input', right: true, of: ({ price }) => rate(price, 'input') },
            { name: 'Output', right: true, of: ({ price }) => rate(price, 'output') },
            { name: 'Cached input', right: true, of: ({ price }) => rate(price, 'cacheRead') },
            { name: 'Prices from', of: (each) => (each.price_version === 'none' ? 'none known' : each.price_version) },
            ...(mayAsk ? [{ name: 'Try', of: ({ id, model_types: types }) => (types.length === 0 || types.includes('chat')) && html`<a href=${to('/playground', { model: id })}>Test<span class="unseen"> ${id}</span></a>` }] : []),
          ]} />`
    }
    <p class="quiet">${found.length > MAX_SHOWN ? `The first ${MAX_SHOWN} of ${count(found.length)}. ` : ''}Dollars for a million tokens, in the lowest band. Other parts have prices of their own.</p>
  `;
}

/** Nano-dollars a token are dollars for a thousand million tokens. */
function rate(price, name) {
  const value = price?.bands?.[0]?.rates?.[name];
  return value === undefined ? '–' : `$${(value / 1000).toLocaleString('en', { maximumFractionDigits: 4 })}`;
}

function Health() {
  const mayChange = useMay('operator');
  const targets = useAnswer('/admin/targets', { everyMs: LIVE_MS });
  const reset = useAction(async (target) => {
    await call('/admin/targets/reset', { method: 'POST', body: target === undefined ? {} : { target } });
    targets.again();
  });
  return html`
    ${reset.error && html`<${Fault} error=${reset.error} />`}
    <${Answered} of=${targets} what="targets">
      ${({ data }) =>
        data.length === 0
          ? html`<${Empty} title="No health is kept"><p>It is kept of targets of virtual models, and of accounts with several keys. Any other model is asked whatever happened before.</p></${Empty}>`
          : html`<${Table} caption="Health of targets" rows=${data} keyOf=${({ target, credential }) => `${target} ${credential}`} columns=${[
                { name: 'Target', header: true, of: ({ target }) => html`<a href=${to('/requests', { model: target })}>${target}</a>` },
                { name: 'Key', of: ({ credential }) => html`<code>${credential.slice(0, 8)}</code>` },
                { name: 'State', of: ({ state, blamed }) => html`<${Mark} kind=${KINDS[state]}>${state}</${Mark}> ${blamed ?? ''}` },
                { name: 'Why', of: ({ reason, until }) => (reason ? `${reason}, until ${moment(until)}` : '') },
                { name: 'Failures', right: true, of: ({ window }) => `${count(window.failures)} of ${count(window.requests)}` },
                { name: 'First content p50 / p95', right: true, of: ({ latency_ms: { first_content: of } }) => `${milliseconds(of.p50)} / ${milliseconds(of.p95)}` },
                { name: 'A token p50', right: true, of: ({ latency_ms: { per_token: of } }) => milliseconds(of.p50) },
                ...(mayChange ? [{ name: 'Try', of: ({ target }) => html`<a href=${to('/playground', { model: target })}>Test<span class="unseen"> ${target}</span></a>` }, { name: 'Change', of: ({ target, state }) => state !== 'up' && html`<button type="button" disabled=${reset.isBusy} onClick=${() => reset.run(target)}>Reset<span class="unseen"> ${target}</span></button>` }] : []),
              ]} />
              <p class="quiet">Keys are told apart by a digest; their values are shown nowhere. Latencies are of this gateway, of the last minutes.</p>`}
    </${Answered}>
  `;
}
