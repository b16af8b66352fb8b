// One exchange: where it went and why, what it used and cost.
import { bytes, count, html, milliseconds, moment, money, to, useAnswer, useMay } from './core.js';
import { Answered, Copyable, Facts, Mark, Status, Table, words } from './parts.js';

export function ReceiptPage({ path }) {
  const id = decodeURIComponent(path.slice('/requests/'.length));
  const receipt = useAnswer(`/admin/requests/${encodeURIComponent(id)}`);
  return html`<${Answered} of=${receipt} what="the receipt">${(data) => html`<${Receipt} of=${data} />`}</${Answered}>`;
}

function Receipt({ of }) {
  const { who, what, when, route, outcome, usage, cost, latency_ms: latency } = of;
  const mayAsk = useMay('operator');
  const metadata = Object.entries(who.metadata ?? {});
  return html`
    <p><${Status} status=${outcome.status} /> ${what.method} ${what.path} <strong>${what.model ?? ''}</strong> ${route.target && route.target !== what.model && html`→ ${route.target}`}</p>
    ${(outcome.status >= 400 || outcome.error_code) && html`<${Why} of=${of} />`}
    <div class="buttons">
      ${mayAsk && what.model && html`<a class="button" href=${to('/playground', { model: what.model, from: of.bodies ? of.id : undefined })}>${of.bodies ? 'Replay in the playground, also on another model' : 'Ask this model in the playground'}</a>`}
      ${who.subject && html`<a class="button" href=${to('/requests', { user: who.subject })}>Requests of ${who.subject}</a>`}
    </div>
    <h2>Who and when</h2>
    <${Facts} of=${[
      ['Subject', who.subject],
      ['Key', who.key_id],
      ['Teams', who.teams.join(', ')],
      ['Began', moment(when.started_at)],
      ['Ended', moment(when.ended_at)],
      ['Exchange', of.id],
      ['Request id', of.request_id === of.id ? undefined : of.request_id],
      ['Bytes in and out', `${bytes(what.bytes_in)} / ${bytes(what.bytes_out)}`],
      ['Streamed', what.stream ? 'yes' : 'no'],
      ['Tracing project', of.project],
    ]} />
    ${metadata.length > 0 && html`<${Facts} of=${metadata.map(([name, value]) => [`metadata ${name}`, html`<a href=${to('/requests', { metadata: `${name}:${value}` })}>${value}</a>`])} />`}
    <h2>Where the time went</h2>
    <${Waterfall} route=${route} latency=${latency} outcome=${outcome} />
    <${Facts} of=${[
      ['Total', milliseconds(latency.total)],
      ['At the provider', milliseconds(latency.upstream)],
      ['Added by the gateway', milliseconds(latency.overhead)],
      ['First content', milliseconds(latency.first_token)],
      ['Between tokens', milliseconds(latency.between_tokens)],
      ['Attempts', count(route.attempts)],
    ]} />
    <h2>Rules and guards</h2>
    <${Rules} rules=${route.applied_rules} charges=${cost.charges} />
    <${Guards} guards=${route.guardrails} />
    ${route.cache && html`<h3>Cache</h3><${Facts} of=${Object.entries(route.cache).map(([name, value]) => [name, String(value)])} />`}
    <h2>Usage and cost</h2>
    <${CostParts} usage=${usage} cost=${cost} />
    <h2>Bodies</h2>
    ${
      of.bodies
        ? html`<${Bodies} of=${of.bodies} />`
        : html`<p class="quiet">None are kept of it. Whose bodies are kept is said by <code>gateway-global-settings</code> and <code>gateway-logging-config</code>.</p>`
    }
    <details><summary>The whole receipt as JSON</summary><${Copyable} text=${JSON.stringify(of, null, 2)} /></details>
  `;
}

/** What the gateway knows of a failure, in words: the code, its meaning and remedy, and the rules that took part. */
function Why({ of: { outcome, route } }) {
  const errors = useAnswer('/admin/errors');
  const rule = errors.data?.errors?.[outcome.error_code];
  const failed = route.failed_attempts ?? [];
  const guard = (route.guardrails ?? []).find(({ result }) => result === 'failed' || result === 'error');
  return html`<section class="card" aria-label="Why it failed">
    <h2>${route.target || failed.length > 0 ? 'Why it failed' : 'Why it was refused'}</h2>
    <p><strong>${outcome.error_code ?? `Status ${outcome.status}`}</strong>${outcome.error_detail ? html`: ${words(outcome.error_detail)}` : ''}</p>
    ${rule && html`<p>${rule.message}</p>`}
    ${rule?.remedy && html`<p>What to do: ${rule.remedy}</p>`}
    ${guard && html`<p>The guard <strong>${guard.guardrail}</strong> came to <em>${guard.result}</em>${guard.detail ? html`: ${text(guard.detail).replace(/\.$/, '')}` : ''}.</p>`}
    ${failed.length > 0 && html`<p>Before it ${failed.length === 1 ? 'one attempt' : `${failed.length} attempts`} failed; see below.</p>`}
    ${!outcome.error_code && !outcome.error_detail && html`<p class="quiet">The provider answered so itself; its words are kept where <code>log.provider_words</code> lets them.</p>`}
  </section>`;
}

function Waterfall({ route, latency, outcome }) {
  const total = latency.total ?? 0;
  const failed = (route.failed_attempts ?? []).map((attempt) => ({
    name: attempt.target ?? '?',
    ms: attempt.ms ?? 0,
    note: [attempt.status, attempt.error, attempt.why].filter((each) => each !== undefined && each !== null).join(' · '),
    kind: 'failed',
  }));
  const spent = failed.reduce((sum, { ms }) => sum + ms, 0);
  const own = latency.overhead ?? 0;
  const last = route.target && { name: route.target, ms: Math.max(0, (latency.upstream ?? total - own) - spent), note: outcome.error_code ?? 'answered', kind: outcome.error_code ? 'failed' : '' };
  const bars = [...(own > 0 ? [{ name: 'Gateway', ms: own, note: 'checks, translation, waiting of its own', kind: 'own' }] : []), ...failed, ...(last ? [last] : [])];
  if (bars.length === 0 || total === 0) return html`<p class="quiet">It went to no provider.</p>`;
  const scale = Math.max(total, bars.reduce((sum, { ms }) => sum + ms, 0));
  let at = 0;
  return html`<ol class="waterfall" aria-label="Attempts one after another">
    ${bars.map(({ name, ms, note, kind }) => {
      const left = (at / scale) * 100;
      at += ms;
      return html`<li>
        <span>${name}<br /><span class="quiet">${note}</span></span>
        <span><div class=${`bar ${kind}`} style=${{ marginLeft: `${left}%`, width: `${(ms / scale) * 100}%` }}></div></span>
        <span class="right">${milliseconds(ms)}</span>
      </li>`;
    })}
  </ol>
  ${bars.length > 2 && html`<p class="quiet">Attempts in their order; those of a hedge ran beside each other.</p>`}`;
}

function Rules({ rules, charges }) {
  const named = rules && typeof rules === 'object' ? Object.entries(rules).flatMap(([kind, of]) => (Array.isArray(of) ? of : [of]).map((rule) => ({ kind, rule }))) : [];
  if (named.length === 0 && charges.length === 0) return html`<p class="quiet">No rate limit, budget or routing rule applied.</p>`;
  return html`
    ${named.length > 0 && html`<${Table} caption="Rules that applied" rows=${named} columns=${[
      { name: 'Kind', header: true, of: ({ kind }) => kind },
      { name: 'Rule', of: ({ rule }) => text(rule) },
    ]} />`}
    ${charges.length > 0 && html`<h3>Charged to budgets</h3><ul>${charges.map((charge) => html`<li><code>${text(charge)}</code></li>`)}</ul>`}
  `;
}

function Guards({ guards }) {
  if (!guards || guards.length === 0) return html`<p class="quiet">No guard looked at it.</p>`;
  return html`<${Table} caption="Guards" rows=${guards} columns=${[
    { name: 'Guard', header: true, of: (each) => text(each.guardrail) },
    { name: 'Where', of: (each) => text(each.hook) },
    { name: 'Operation', of: (each) => [each.operation, each.strategy].filter(Boolean).join(', ') },
    { name: 'Result', of: (each) => html`<${Mark} kind=${({ passed: 'good', mutated: 'warn' })[each.result] ?? 'bad'}>${text(each.result)}</${Mark}>` },
    { name: 'Time', right: true, of: (each) => milliseconds(each.ms) },
    { name: 'Found', of: (each) => text(each.detail) },
  ]} />`;
}

/** Columns of counters, the names of their rates, and the whole that they are a part of. */
const PRICED = {
  input_tokens: ['input'],
  output_tokens: ['output'],
  cache_read_tokens: ['cacheRead', 'input_tokens'],
  cache_creation_tokens: ['cacheWrite', 'input_tokens'],
  reasoning_tokens: ['reasoning', 'output_tokens'],
};

/** What each part cost by its rate; parts with a rate of their own are taken out of their whole. The rest is told as one. */
function pricedParts(usage, cost) {
  const table = cost.price_table;
  const bands = table?.rates?.bands;
  if (!Array.isArray(bands) || cost.nano_usd === null) return {};
  const band = bands.filter(({ fromInputTokens: from }) => from <= (usage.input_tokens ?? 0)).pop() ?? bands[0];
  const parts = {};
  for (const [column, [rate, whole]] of Object.entries(PRICED)) {
    const amount = usage[column];
    const each = band.rates[rate];
    if (!amount || each === undefined) continue;
    parts[column] = { rate: each, nano: amount * each };
    if (whole && parts[whole]) parts[whole].nano -= amount * parts[whole].rate;
  }
  return parts;
}

function CostParts({ usage, cost }) {
  const counts = Object.entries(usage).filter(([name, value]) => name !== 'source' && typeof value === 'number');
  const parts = pricedParts(usage, cost);
  const rest = cost.nano_usd - Object.values(parts).reduce((sum, { nano }) => sum + nano, 0);
  const table = typeof cost.price_table === 'object' && cost.price_table !== null ? cost.price_table : undefined;
  return html`
    ${
      counts.length === 0
        ? html`<p class="quiet">No usage is known.</p>`
        : html`<${Table} caption="What was used, and what each part cost" rows=${counts} columns=${[
            { name: 'Part', header: true, of: ([name]) => name.replaceAll('_', ' ') },
            { name: 'Amount', right: true, of: ([, value]) => count(value) },
            { name: 'For a million', right: true, of: ([name]) => (parts[name] ? money(parts[name].rate * 1e6) : '–') },
            { name: 'Cost', right: true, of: ([name]) => (parts[name] ? money(parts[name].nano) : '–') },
          ]} />`
    }
    ${Object.keys(parts).length > 0 && Math.abs(rest) >= 1 && html`<p class="quiet">Other parts, and what tier or place changed: ${money(rest)}.</p>`}
    <${Facts} of=${[
      ['Cost', money(cost.nano_usd)],
      ['Not priced', cost.unknown_part],
      ['Charged', cost.charged_nano_usd === null ? undefined : money(cost.charged_nano_usd)],
      ['Held before it was sent', cost.reserved_nano_usd === null ? undefined : money(cost.reserved_nano_usd)],
      ['Told by the provider', cost.provider_cost_usd === null ? undefined : `$${cost.provider_cost_usd}`],
      ['Counts come from', usage.source],
      ['Prices', cost.price_version],
      ['Served as', Object.entries(cost.served_as ?? {}).map(([name, value]) => `${name}: ${value}`).join(', ')],
    ]} />
    ${table && html`<details><summary>Rates in ${table.unit}</summary><pre tabindex="0">${JSON.stringify(table.rates ?? table, null, 2)}</pre></details>`}
  `;
}

function Bodies({ of }) {
  const parts = typeof of === 'object' && of !== null ? Object.entries(of).filter(([, value]) => value !== null && value !== undefined) : [['body', of]];
  return html`${parts.map(([name, value]) => html`<h3>${name.replaceAll('_', ' ')}</h3><${Body} of=${value} />`)}`;
}

/** Its text as text: JSON within JSON would be all backslashes. */
function Body({ of }) {
  if (typeof of !== 'object' || typeof of.text !== 'string') return html`<${Copyable} text=${pretty(of)} />`;
  const { text: said, content_type: type, bytes: size, truncated, ...rest } = of;
  return html`<p class="quiet">${type} · ${bytes(size)}${truncated ? ' · cut: its beginning is kept' : ''}${Object.entries(rest).map(([name, value]) => ` · ${name.replaceAll('_', ' ')} ${text(value)}`)}</p>
    <${Copyable} text=${pretty(said)} />`;
}

function pretty(value) {
  if (typeof value !== 'string') return JSON.stringify(value, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

function text(value) {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
