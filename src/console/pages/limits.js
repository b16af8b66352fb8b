// Rate limits, budgets with what is used and left, and what is near its end.
import { count, dollars, html, moment, queryOf, to, useAnswer } from './core.js';
import { Answered, Empty, Mark, Meter, Table } from './parts.js';

const NEAR_PERCENT = 80;
const LIVE_MS = 10_000;

export function Limits({ query }) {
  const budgets = useAnswer(`/admin/budgets?${queryOf({ limit: 200, budget: query.get('budget'), page_token: query.get('page_token') })}`, { everyMs: LIVE_MS });
  const limits = useAnswer('/admin/rate-limits');
  return html`
    <h2>Budgets</h2>
    <${Answered} of=${budgets} what="budgets">
      ${({ data, next_page_token: next }) =>
        data.length === 0
          ? html`<${Empty} title="No budget"><p>A manifest <code>gateway-budget-config</code> says who may spend how much in a day, week, month or quarter. A budget that counts groups apart shows a group when it has spent something.</p></${Empty}>`
          : html`<${BudgetTable} rows=${[...data].sort((one, other) => (other.percent ?? -1) - (one.percent ?? -1))} />
              ${next && html`<a class="button" href=${to('/limits', { page_token: next })}>More</a>`}`}
    </${Answered}>
    <h2>Rate limits</h2>
    <${Answered} of=${limits} what="rate limits">
      ${({ data }) =>
        data.length === 0
          ? html`<${Empty} title="No rate limit"><p>A manifest <code>gateway-rate-limiting-config</code> says how many requests, tokens or dollars go in a minute, an hour or a day.</p></${Empty}>`
          : html`<${Table}
                caption="Rate limits"
                rows=${data}
                columns=${[
                  { name: 'Rule', header: true, of: ({ id }) => id },
                  { name: 'Limit', right: true, of: (rule) => `${rule.currency ? dollars(rule.limit) : count(rule.limit)} ${rule.unit.replaceAll('_', ' ')}` },
                  { name: 'Counted for each', of: (rule) => rule.applies_per.join(', ') || 'all together' },
                  { name: 'Holds for', of: (rule) => (Object.keys(rule.when).length === 0 ? 'everybody' : html`<code>${JSON.stringify(rule.when)}</code>`) },
                  { name: 'Refused', of: () => html`<a href=${to('/requests', { error: 'rate_limited' })}>requests</a>` },
                ]}
              />
              <p class="quiet">In each manifest the first rule that matches decides. What a window holds just now stands in answers (<code>x-ratelimit-…</code>) and in the metrics.</p>`}
    </${Answered}>
  `;
}

function amount(entry, value) {
  if (value === null) return '–';
  return entry.currency ? dollars(value) : count(value);
}

function BudgetTable({ rows }) {
  return html`<${Table}
    caption="Budgets of the period of now, the nearest to their end first"
    rows=${rows}
    columns=${[
      { name: 'Budget', header: true, of: (each) => each.budget },
      { name: 'Group', of: (each) => each.group || 'all' },
      { name: 'Used', right: true, of: (each) => amount(each, each.spent) },
      { name: 'Held', right: true, of: (each) => amount(each, each.held) },
      { name: 'Left', right: true, of: (each) => (each.limit === null ? 'no limit' : amount(each, Math.max(0, each.limit - each.spent - each.held))) },
      { name: 'Of', right: true, of: (each) => `${amount(each, each.limit)} ${each.unit.replaceAll('_', ' ')}` },
      { name: 'Share', of: (each) => each.percent !== null && html`${each.percent} %<${Meter} percent=${each.percent} label=${`${each.budget} ${each.group}`} />` },
      { name: 'At its end', of: (each) => ({ enforce: 'refuses', cut: 'refuses and cuts', audit: 'tells', downgrade: 'another model' })[each.mode] ?? each.mode },
      { name: 'Begins anew', of: (each) => moment(each.resets_at) },
    ]}
  />`;
}

/** What would wake somebody: there is no list of alerts that were sent, so the states that they are sent of. */
export function Alerts() {
  const budgets = useAnswer('/admin/budgets?limit=1000', { everyMs: LIVE_MS });
  const targets = useAnswer('/admin/targets', { everyMs: LIVE_MS });
  return html`
    <p>What is near or beyond its end just now. Budgets send alerts where they name <code>alerts</code>; alert rules on metrics are in <code>deploy/prometheus</code>.</p>
    <h2>Budgets above ${NEAR_PERCENT} percent</h2>
    <${Answered} of=${budgets} what="budgets">
      ${({ data }) => {
        const near = data.filter(({ percent }) => percent !== null && percent >= NEAR_PERCENT).sort((one, other) => other.percent - one.percent);
        return near.length === 0 ? html`<p class="quiet">None.</p>` : html`<${BudgetTable} rows=${near} />`;
      }}
    </${Answered}>
    <h2>Targets that are out</h2>
    <${Answered} of=${targets} what="targets">
      ${({ data }) => {
        const out = data.filter(({ state }) => state !== 'up');
        if (out.length === 0) return html`<p class="quiet">None of those whose health is kept.</p>`;
        return html`<${Table} caption="Targets that are out" rows=${out} columns=${[
          { name: 'Target', header: true, of: ({ target }) => html`<a href=${to('/models')}>${target}</a>` },
          { name: 'State', of: ({ state }) => html`<${Mark} kind=${state === 'out' ? 'bad' : 'warn'}>${state}</${Mark}>` },
          { name: 'Why', of: ({ reason }) => reason },
          { name: 'Until', of: ({ until }) => moment(until) },
        ]} />`;
      }}
    </${Answered}>
  `;
}
