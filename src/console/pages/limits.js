// Rate limits, budgets with what is used and left, and what is near its end.
import { count, dollars, html, moment, plural, queryOf, to, useAnswer } from './core.js';
import { Answered, Empty, Mark, Meter, Table } from './parts.js';

const NEAR_PERCENT = 80;
const LIVE_MS = 10_000;

export function Limits({ query }) {
  const budgets = useAnswer(`/admin/budgets?${queryOf({ limit: 200, budget: query.get('budget'), page_token: query.get('page_token') })}`, { everyMs: LIVE_MS });
  const limits = useAnswer('/admin/rate-limits', { everyMs: LIVE_MS });
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
          : html`<${RateLimitTable} rules=${data} />
              <p class="quiet">In each manifest the first rule that matches decides. Windows slide: what is used leaves them bit by bit, and is all gone at the time that is told. They are counts of this gateway; with Redis those of others count as well. Of a rule with groups those stand here that used something in the last day or window, the fullest first.</p>`}
    </${Answered}>
  `;
}

/** A line for each window, and one for a rule of which nothing is counted just now. */
function RateLimitTable({ rules }) {
  const rows = rules.flatMap((rule) => (rule.windows.length === 0 ? [{ rule, first: true }] : rule.windows.map((window, index) => ({ rule, window, first: index === 0 }))));
  const groupOf = ({ group }) => Object.entries(group).map(([key, value]) => html`<div><span class="quiet">${key}</span> ${value || '(none)'}</div>`);
  return html`<${Table}
      caption="Rate limits and their windows"
      rows=${rows}
      columns=${[
        { name: 'Rule', header: true, of: ({ rule }) => rule.id },
        { name: 'Limit', right: true, of: ({ rule }) => `${amount(rule, rule.limit)} ${rule.unit.replaceAll('_', ' ')}` },
        { name: 'Holds for', of: ({ rule, first }) => first && (Object.keys(rule.when).length === 0 ? 'everybody' : conditionsOf(rule.when)) },
        { name: 'Group', of: ({ rule, window }) => (window && rule.applies_per.length > 0 ? groupOf(window) : rule.applies_per.length > 0 ? `each ${rule.applies_per.join(', ')}: nothing used` : 'all together') },
        { name: 'Used', right: true, of: ({ rule, window }) => amount(rule, window?.used ?? 0) },
        { name: 'Left', right: true, of: ({ rule, window }) => amount(rule, window?.left ?? rule.limit) },
        { name: 'Share', of: ({ rule, window }) => window?.percent !== undefined && window.percent !== null && html`${window.percent} %<${Meter} percent=${window.percent} label=${`${rule.id} ${Object.values(window.group).join(' ')}`} />` },
        { name: 'All free at', nowrap: true, of: ({ window }) => moment(window?.free_at) },
        { name: 'Refused', of: ({ first }) => first && html`<a href=${to('/requests', { error: 'rate_limited' })}>requests</a>` },
      ]}
    />
    ${rules.filter(({ more_windows: more }) => more > 0).map(({ id, more_windows: more }) => html`<p class="quiet">${id}: ${count(more)} further groups use less.</p>`)}`;
}

/** `{subjects: {in: […]}}`, in words. */
function conditionsOf(when) {
  return Object.entries(when).map(([what, condition]) => html`<div><span class="quiet">${what.replaceAll('_', ' ')}</span> ${wordsOf(condition)}</div>`);
}

function wordsOf(condition) {
  if (Array.isArray(condition)) return condition.map(wordsOf).join(', ');
  if (typeof condition !== 'object' || condition === null) return String(condition);
  return Object.entries(condition)
    .map(([name, value]) => (name === 'in' ? wordsOf(value) : `${name.replaceAll('_', ' ')} ${wordsOf(value)}`))
    .join('; ');
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
      { name: 'Begins anew', nowrap: true, of: (each) => moment(each.resets_at) },
    ]}
  />`;
}

const OUTCOMES = { sent: 'good', failed: 'bad', dropped: 'bad' };

/** What would wake somebody just now, and the messages that were sent. */
export function Alerts({ query }) {
  const budgets = useAnswer('/admin/budgets?limit=1000', { everyMs: LIVE_MS });
  const targets = useAnswer('/admin/targets', { everyMs: LIVE_MS });
  const sent = useAnswer(`/admin/alerts?${queryOf({ after: query.get('after') })}`, { everyMs: LIVE_MS });
  return html`
    <p>Budgets send messages where they name <code>alerts</code>; alert rules on metrics are in <code>deploy/prometheus</code>.</p>
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
    <h2>Messages</h2>
    <${Answered} of=${sent} what="messages">
      ${({ data, has_more: hasMore }) =>
        data.length === 0
          ? html`<${Empty} title="No message was sent"><p>Name thresholds and targets under <code>alerts</code> of a budget; whoever is to be told by e-mail, Slack, Teams, PagerDuty or a webhook is told once for each threshold of a period.</p></${Empty}>`
          : html`<${Table} caption="Messages, newest first" rows=${data} keyOf=${({ id }) => id} columns=${[
                { name: 'When', header: true, nowrap: true, of: ({ at }) => moment(at) },
                { name: 'Outcome', of: ({ outcome, reason, tries }) => html`<${Mark} kind=${OUTCOMES[outcome] ?? 'plain'}>${outcome}</${Mark}> ${reason ? `${reason}, after ${plural(tries, 'try', 'tries')}` : ''}` },
                { name: 'Budget', of: ({ budget, group }) => html`<a href=${to('/limits', { budget })}>${budget}</a>${group ? html`<br /><span class="quiet">${group}</span>` : ''}` },
                { name: 'What', of: ({ threshold, unit }) => (threshold === 'refuses' ? 'refuses requests' : `${threshold} % of ${unit.replaceAll('_', ' ')}`) },
                { name: 'Spent', right: true, of: (each) => `${amount(each, each.spent)} of ${amount(each, each.limit)}` },
                { name: 'By', of: ({ channel }) => channel },
                { name: 'To', of: ({ recipient }) => recipient || '–' },
              ]} />
              ${hasMore && html`<a class="button" href=${to('/alerts', { after: data.at(-1).id })}>Older</a>`}`}
    </${Answered}>
  `;
}
