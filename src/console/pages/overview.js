// Requests, errors, tokens, cost and latencies over time, and by whatever they are counted.
import { count, html, milliseconds, money, plural, queryOf, to, useAnswer, useMay } from './core.js';
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
/** How a group is asked for in the list of requests. */
const FILTERS = { model: 'asked', target: 'target', provider: 'provider', team: 'team', user: 'user', virtualaccount: 'user', key: 'key' };
const HOUR = 3_600;
const DAY = 86_400;
const LIVE_MS = 10_000;
const MAX_GROUPS = 100;

export function Overview({ query }) {
  const span = SPANS.some(([name]) => name === query.get('span')) ? query.get('span') : '24h';
  const by = query.get('by') ?? 'model';
  const isMetadata = by.startsWith('metadata') && by !== 'metadata.session_id';
  const [key, setKey] = useState(isMetadata ? by.slice('metadata.'.length) : '');
  const [isLive, setLive] = useState(true);
  const everyMs = isLive ? LIVE_MS : undefined;
  const step = span === '24h' ? 'hour' : 'day';
  const series = useAnswer(`/admin/usage?by=${step}&since=${span}&beyond=latencies`, { everyMs });
  const groups = useAnswer(by === 'metadata' || by === 'metadata.' ? undefined : `/admin/usage?${queryOf({ by, since: span, beyond: 'latencies' })}`, { everyMs });
  const go = (parameters) => location.assign(to('/', { span, by, ...parameters }));
  return html`
    <div class="fields">
      <${Field} label="Time" value=${span} options=${SPANS} onInput=${(value) => go({ span: value })} />
      <div class="field"><span class="unseen">Refresh</span><label class="tick"><input type="checkbox" checked=${isLive} onChange=${() => setLive(!isLive)} /> Refresh every 10 seconds</label></div>
    </div>
    <${Answered} of=${series} what="the sums">
      ${(report) => (report.total.requests === 0 ? html`<${NothingYet} />` : html`<${Sums} report=${report} step=${step} />`)}
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
  const mayAsk = useMay('operator');
  return html`<${Empty} title="No request in this time">
    <p>As soon as a request ends it is counted here. <a href=${to('/clients')}>Set up a client</a>${mayAsk && html`, or ask a model in the <a href=${to('/playground')}>playground</a>`}.</p>
  </${Empty}>`;
}

function Sums({ report, step }) {
  const { total } = report;
  const { times, at } = buckets(report, step);
  const width = step === 'hour' ? HOUR : DAY;
  const values = (of) => at.map((row) => (row === undefined ? 0 : of(row)));
  const known = (of) => at.map((row) => (row === undefined ? null : of(row)));
  /** The very hours that were summed. */
  const all = (more) => to('/requests', { since: report.since, until: report.until, ...more });
  const linkOf = (index, more) =>
    to('/requests', { since: instant(times[index]), until: instant(times[index] + width), ...more });
  const failed = { outcome: 'failed' };
  const { first_content_ms: first, overhead_ms: added } = total;
  return html`
    <div class="figures">
      <${Figure} name="Requests" value=${count(total.requests)} link=${all()} />
      <${Figure} name="Errors" value=${count(total.errors)} link=${all(failed)} note=${`${((total.errors / total.requests) * 100).toFixed(1)} % failed or were cut`} />
      <${Figure} name="Tokens in" value=${count(total.input_tokens)} link=${all()} note=${`${count(total.cache_read_tokens)} read from caches`} />
      <${Figure} name="Tokens out" value=${count(total.output_tokens)} link=${all()} />
      <${Figure} name="Cost" value=${money(total.cost_nano_usd)} link=${all()} note=${total.unknown_cost_requests > 0 ? `and ${plural(total.unknown_cost_requests, 'answer')} of unknown cost` : undefined} />
      <${Figure} name="First content" value=${milliseconds(first.p50)} link=${all()} note=${first.count > 0 ? `median; p95 ${milliseconds(first.p95)}, p99 ${milliseconds(first.p99)}` : 'of none of them known'} />
      <${Figure} name="Added latency" value=${milliseconds(added.p50)} link=${all()} note=${`median; p95 ${milliseconds(added.p95)}, mean ${milliseconds(total.overhead_us / 1000 / total.requests)}`} />
    </div>
    <div class="charts">
      <${TimeChart} title=${`Requests per ${step}`} times=${times} linkOf=${linkOf} lines=${[{ name: 'Requests', colour: 'one', form: 'bars', values: values((row) => row.requests) }]} />
      <${TimeChart} title=${`Errors per ${step}`} times=${times} linkOf=${(index) => linkOf(index, failed)} lines=${[{ name: 'Errors', colour: 'two', form: 'bars', values: values((row) => row.errors) }]} />
      <${TimeChart} title=${`Tokens per ${step}`} times=${times} linkOf=${linkOf} lines=${[
        { name: 'In', colour: 'one', values: values((row) => row.input_tokens) },
        { name: 'Out', colour: 'three', values: values((row) => row.output_tokens) },
      ]} />
      <${TimeChart} title=${`Cost per ${step}`} times=${times} linkOf=${linkOf} write=${money} lines=${[{ name: 'Cost', colour: 'one', form: 'bars', values: values((row) => row.cost_nano_usd) }]} />
      <${TimeChart} title="First content" times=${times} linkOf=${linkOf} write=${milliseconds} lines=${[
        { name: 'Median', colour: 'one', values: known((row) => row.first_content_ms.p50) },
        { name: 'p95', colour: 'three', values: known((row) => row.first_content_ms.p95) },
      ]} />
      <${TimeChart} title="Added latency" times=${times} linkOf=${linkOf} write=${milliseconds} lines=${[
        { name: 'Median', colour: 'one', values: known((row) => row.overhead_ms.p50) },
        { name: 'p95', colour: 'three', values: known((row) => row.overhead_ms.p95) },
      ]} />
    </div>
  `;
}

function Groups({ report, by, span }) {
  if (report.rows.length === 0) return html`<p class="quiet">Nothing was counted in this time.</p>`;
  const shown = report.rows.slice(0, MAX_GROUPS);
  const linkOf = (row, more) => {
    const value = row[by];
    if (value === null) return undefined;
    const time = { since: report.since, until: report.until };
    if (by.startsWith('metadata.')) return to('/requests', { ...time, metadata: `${by.slice(9)}:${value}`, ...more });
    const filter = FILTERS[by];
    const named = by === 'virtualaccount' || by === 'user' ? `${by}:${value}` : value;
    return filter && to('/requests', { ...time, [filter]: named, ...more });
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
        { name: 'Errors', right: true, of: (row) => linked(row, count(row.errors), { outcome: 'failed' }) },
        { name: 'Tokens in', right: true, of: (row) => linked(row, count(row.input_tokens)) },
        { name: 'Tokens out', right: true, of: (row) => linked(row, count(row.output_tokens)) },
        { name: 'Cost', right: true, of: (row) => linked(row, `${money(row.cost_nano_usd)}${row.unknown_cost_requests > 0 ? ' +' : ''}`) },
        { name: 'First content p50 / p95', right: true, of: ({ first_content_ms: of }) => `${milliseconds(of.p50)} / ${milliseconds(of.p95)}` },
        { name: 'Mean duration', right: true, of: (row) => milliseconds(row.requests && row.duration_ms / row.requests) },
        { name: 'Added p50 / p95', right: true, of: ({ overhead_ms: of }) => `${milliseconds(of.p50)} / ${milliseconds(of.p95)}` },
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
