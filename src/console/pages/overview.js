// Requests, errors, tokens, cost and latencies over time, and by whatever they are counted.
import { count, html, milliseconds, money, plural, queryOf, to, useAnswer } from './core.js';
import { useState } from './lib/hooks.js';
import { Answered, Empty, Field, Figure, Table, TimeChart } from './parts.js';

const SPANS = [
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['30d', 'Last 30 days'],
  ['90d', 'Last 90 days'],
];
const GROUPS = [
  ['model', 'Model'],
  ['target', 'Target'],
  ['provider', 'Provider'],
  ['team', 'Team'],
  ['user', 'User'],
  ['virtualaccount', 'Virtual account'],
  ['key', 'Key'],
  ['metadata.session_id', 'Session'],
  ['metadata', 'Metadata …'],
];
/** How a group is asked for in the list of requests; none: it cannot be. */
const FILTERS = { model: 'model', target: 'model', team: 'team', user: 'user', virtualaccount: 'user', key: 'key' };
const HOUR = 3_600;
const DAY = 86_400;
const LIVE_MS = 10_000;
/** Of which first content and added latency are told: sums of the ledger hold averages of the latter alone. */
const SAMPLE = 200;
const MAX_GROUPS = 100;

export function Overview({ query }) {
  const span = SPANS.some(([name]) => name === query.get('span')) ? query.get('span') : '24h';
  const by = query.get('by') ?? 'model';
  const isMetadata = by.startsWith('metadata') && by !== 'metadata.session_id';
  const [key, setKey] = useState(isMetadata ? by.slice('metadata.'.length) : '');
  const [isLive, setLive] = useState(true);
  const everyMs = isLive ? LIVE_MS : undefined;
  const step = span === '24h' ? 'hour' : 'day';
  const series = useAnswer(`/admin/usage?by=${step}&since=${span}`, { everyMs });
  const groups = useAnswer(by === 'metadata' || by === 'metadata.' ? undefined : `/admin/usage?${queryOf({ by, since: span })}`, { everyMs });
  const newest = useAnswer(`/admin/requests?limit=${SAMPLE}&since=${span}`, { everyMs });
  const go = (parameters) => location.assign(to('/', { span, by, ...parameters }));
  return html`
    <div class="fields">
      <${Field} label="Time" value=${span} options=${SPANS} onInput=${(value) => go({ span: value })} />
      <div class="field"><span class="unseen">Refresh</span><label class="tick"><input type="checkbox" checked=${isLive} onChange=${() => setLive(!isLive)} /> Refresh every 10 seconds</label></div>
    </div>
    <${Answered} of=${series} what="the sums">
      ${(report) => (report.total.requests === 0 ? html`<${NothingYet} />` : html`<${Sums} report=${report} step=${step} span=${span} newest=${newest.data} />`)}
    </${Answered}>
    <h2>By what they are counted</h2>
    <div class="fields">
      <${Field} label="Group by" value=${isMetadata ? 'metadata' : by} options=${GROUPS} onInput=${(value) => go({ by: value })} />
      ${
        isMetadata &&
        html`<form class="fields" onSubmit=${(event) => {
          event.preventDefault();
          go({ by: `metadata.${key}` });
        }}>
          <${Field} label="Metadata key" value=${key} onInput=${setKey} required hint="One of ledger.metadata_keys." />
          <div class="buttons"><button type="submit">Show</button></div>
        </form>`
      }
    </div>
    ${by !== 'metadata' && html`<${Answered} of=${groups} what="the groups">${(report) => html`<${Groups} report=${report} by=${by} span=${span} />`}</${Answered}>`}
  `;
}

function NothingYet() {
  return html`<${Empty} title="No request in this time">
    <p>As soon as a request ends it is counted here. <a href=${to('/clients')}>Set up a client</a>, or ask a model in the <a href=${to('/playground')}>playground</a>.</p>
  </${Empty}>`;
}

function Sums({ report, step, span, newest }) {
  const { total } = report;
  const { times, at } = buckets(report, step);
  const width = step === 'hour' ? HOUR : DAY;
  const values = (of) => at.map((row) => (row === undefined ? 0 : of(row)));
  const mean = (of) => at.map((row) => (row === undefined || row.requests === 0 ? null : of(row) / row.requests));
  const linkOf = (index, more) =>
    to('/requests', { since: instant(times[index]), until: instant(times[index] + width), ...more });
  const failed = { status: 'failed' };
  const sample = newest?.requests ?? [];
  return html`
    <div class="figures">
      <${Figure} name="Requests" value=${count(total.requests)} link=${to('/requests', { since: span })} />
      <${Figure} name="Errors" value=${count(total.errors)} link=${to('/requests', { since: span, ...failed })} note=${`${((total.errors / total.requests) * 100).toFixed(1)} % failed or were cut`} />
      <${Figure} name="Tokens in" value=${count(total.input_tokens)} note=${`${count(total.cache_read_tokens)} read from caches`} />
      <${Figure} name="Tokens out" value=${count(total.output_tokens)} />
      <${Figure} name="Cost" value=${money(total.cost_nano_usd)} note=${total.unknown_cost_requests > 0 ? `and ${plural(total.unknown_cost_requests, 'answer')} of unknown cost` : undefined} />
      <${Figure} name="First content" value=${milliseconds(middle(sample, 'first_token_ms', 0.5))} note=${`median of the newest ${count(sample.length)}; p95 ${milliseconds(middle(sample, 'first_token_ms', 0.95))}`} />
      <${Figure} name="Added latency" value=${milliseconds(total.overhead_us / 1000 / total.requests)} note=${`mean of all; p95 of the newest ${milliseconds(middle(sample, 'overhead_ms', 0.95))}`} />
    </div>
    <div class="charts">
      <${TimeChart} title=${`Requests per ${step}`} times=${times} linkOf=${linkOf} lines=${[{ name: 'Requests', colour: 'one', form: 'bars', values: values((row) => row.requests) }]} />
      <${TimeChart} title=${`Errors per ${step}`} times=${times} linkOf=${(index) => linkOf(index, failed)} lines=${[{ name: 'Errors', colour: 'two', form: 'bars', values: values((row) => row.errors) }]} />
      <${TimeChart} title=${`Tokens per ${step}`} times=${times} linkOf=${linkOf} lines=${[
        { name: 'In', colour: 'one', values: values((row) => row.input_tokens) },
        { name: 'Out', colour: 'three', values: values((row) => row.output_tokens) },
      ]} />
      <${TimeChart} title=${`Cost per ${step}`} times=${times} linkOf=${linkOf} write=${money} lines=${[{ name: 'Cost', colour: 'one', form: 'bars', values: values((row) => row.cost_nano_usd) }]} />
      <${TimeChart} title="Mean added latency" times=${times} linkOf=${linkOf} write=${milliseconds} lines=${[{ name: 'Added', colour: 'one', values: mean((row) => row.overhead_us / 1000) }]} />
      <${TimeChart} title="Mean duration" times=${times} linkOf=${linkOf} write=${milliseconds} lines=${[{ name: 'Duration', colour: 'one', values: mean((row) => row.duration_ms) }]} />
    </div>
    <${FirstContent} sample=${sample} />
  `;
}

/** Over the newest requests alone, since the ledger keeps no sums of it; dashboards of metrics have it over all. */
function FirstContent({ sample }) {
  const told = sample.filter((each) => each.first_token_ms !== null).reverse();
  if (told.length < 2) return undefined;
  return html`<div class="charts"><${TimeChart}
    title=${`First content of the newest ${count(told.length)} that had one`}
    times=${told.map((each) => Date.parse(each.ended_at) / 1000)}
    linkOf=${(index) => to(`/requests/${encodeURIComponent(told[index].id)}`)}
    write=${milliseconds}
    lines=${[{ name: 'First content', colour: 'three', values: told.map((each) => each.first_token_ms) }]}
  /></div>`;
}

function Groups({ report, by, span }) {
  if (report.rows.length === 0) return html`<p class="quiet">Nothing was counted in this time.</p>`;
  const shown = report.rows.slice(0, MAX_GROUPS);
  const linkOf = (row, more) => {
    const value = row[by];
    if (value === null) return undefined;
    if (by.startsWith('metadata.')) return to('/requests', { since: span, metadata: `${by.slice(9)}:${value}`, ...more });
    const filter = FILTERS[by];
    const named = by === 'virtualaccount' ? `virtualaccount:${value}` : value;
    return filter && to('/requests', { since: span, [filter]: named, ...more });
  };
  const linked = (row, text, more) => {
    const link = linkOf(row, more);
    return link ? html`<a href=${link}>${text}</a>` : text;
  };
  const name = GROUPS.find(([each]) => each === by)?.[1] ?? by;
  return html`<${Table}
      caption=${`Sums by ${name}`}
      rows=${shown}
      columns=${[
        { name, header: true, of: (row) => linked(row, row[by] ?? '(none)') },
        { name: 'Requests', right: true, of: (row) => linked(row, count(row.requests)) },
        { name: 'Errors', right: true, of: (row) => linked(row, count(row.errors), { status: 'failed' }) },
        { name: 'Tokens in', right: true, of: (row) => count(row.input_tokens) },
        { name: 'Tokens out', right: true, of: (row) => count(row.output_tokens) },
        { name: 'Cost', right: true, of: (row) => `${money(row.cost_nano_usd)}${row.unknown_cost_requests > 0 ? ' +' : ''}` },
        { name: 'Mean duration', right: true, of: (row) => milliseconds(row.requests && row.duration_ms / row.requests) },
        { name: 'Mean added', right: true, of: (row) => milliseconds(row.requests && row.overhead_us / 1000 / row.requests) },
      ]}
    />
    <p class="quiet">
      ${report.rows.length > shown.length && `The ${MAX_GROUPS} dearest of ${count(report.rows.length)}. `}
      ${by === 'team' && 'Who is in several teams counts for each. '}
      ${report.total.unknown_cost_requests > 0 && '+ marks groups with answers of unknown cost. '}
      <a href=${`/admin/usage?${queryOf({ by, since: span, format: 'csv' })}`} download="usage.csv">All of it as CSV</a>
    </p>`;
}

/** One for each hour or day, those without a request as well. */
function buckets(report, step) {
  const width = step === 'hour' ? HOUR : DAY;
  const byTime = new Map(report.rows.map((row) => [Date.parse(row[step]) / 1000, row]));
  const first = Math.floor(Date.parse(report.since) / 1000 / width) * width;
  const last = Date.parse(report.until) / 1000;
  const times = [];
  for (let time = first; time < last; time += width) times.push(time);
  return { times, at: times.map((time) => byTime.get(time)) };
}

function instant(seconds) {
  return new Date(seconds * 1000).toISOString();
}

/** The value below which that share of those that have one lies. */
function middle(rows, name, share) {
  const values = rows.map((row) => row[name]).filter((value) => value !== null).sort((one, other) => one - other);
  return values[Math.min(values.length - 1, Math.floor(values.length * share))];
}
