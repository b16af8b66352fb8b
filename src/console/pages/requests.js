// The exchanges of the ledger in pages, and those that end just now.
import { ask, call, count, html, milliseconds, moment, money, plural, queryOf, to, useAction } from './core.js';
import { useEffect, useRef, useState } from './lib/hooks.js';
import { Answered, Empty, Fault, Field, Mark, Status, Table } from './parts.js';

const FILTERS = [
  ['since', 'Since', '24h, 7d, or a date or time'],
  ['until', 'Until', 'the same; now without it'],
  ['model', 'Model or target', 'account/model'],
  ['user', 'User', 'user:…, virtualaccount:… or e-mail'],
  ['status', 'Status', '429, 5xx or failed'],
  ['error', 'Error code', 'rate_limited …'],
];
const MORE_FILTERS = [
  ['outcome', 'Outcome', 'ok, error, cut, client-closed or failed'],
  ['key', 'Key', 'name or id'],
  ['team', 'Team', 'name'],
  ['asked', 'Model as asked for', 'account/model, exactly'],
  ['target', 'Target', 'account/model, exactly'],
  ['provider', 'Provider', 'openai …'],
  ['guardrail', 'Guardrail', 'its name, or any'],
  ['session', 'Session', 'session_id'],
  ['metadata', 'Metadata', 'key:value'],
  ['project', 'Tracing project', 'name'],
];
const NAMES = [...FILTERS, ...MORE_FILTERS].map(([name]) => name);
const PAGE_ROWS = 50;
/** Between two looks further back, so that a search that finds little leaves the ledger its time. */
const LOOK_PAUSE_MS = 100;
/** The rows that an export asks for at once, and those of a whole export: the browser holds it in memory. */
const EXPORT_ROWS = 500;
const MAX_EXPORT = 100_000;

export function Requests({ query }) {
  return html`<${Filters} key=${query.toString()} query=${query} path="/requests" />
    <${Rows} query=${query} path="/requests" />`;
}

/** Requests in which a guard found something. */
export function GuardrailHits({ query }) {
  const given = new URLSearchParams(query);
  if (!given.has('guardrail')) given.set('guardrail', 'any');
  return html`<p>Requests of which a guard rejected, changed or flagged something, newest first.</p>
    <${Rows} query=${given} path="/guardrails" isGuardrails=${true} />`;
}

function Filters({ query, path }) {
  const [values, setValues] = useState(() => Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ''])));
  const submit = (event) => {
    event.preventDefault();
    location.assign(to(path, values));
  };
  const isFiltered = NAMES.some((name) => query.get(name));
  const fields = (of) => html`<div class="fields">
    ${of.map(([name, label, hint]) => html`<${Field} key=${name} label=${label} placeholder=${hint} value=${values[name]} size="20" onInput=${(value) => setValues({ ...values, [name]: value })} />`)}
  </div>`;
  return html`<form onSubmit=${submit} aria-label="Filters">
    ${fields(FILTERS)}
    <details open=${MORE_FILTERS.some(([name]) => query.get(name))}><summary>More filters</summary>${fields(MORE_FILTERS)}</details>
    <div class="buttons">
      <button class="first" type="submit">Filter</button>
      ${isFiltered && html`<a class="button" href=${to(path)}>All of the last 7 days</a>`}
      <a class="button" href=${to('/tail')}>Watch live</a>
      <span class="quiet">The address holds the filters: share it.</span>
    </div>
  </form>`;
}

/** A full page, however far back its rows are: an answer of the gateway looks at a part of the ledger. */
function usePage(wanted) {
  const key = queryOf(wanted);
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  const stop = useRef();
  useEffect(() => {
    const aborter = new AbortController();
    let isStopped = false;
    stop.current = () => {
      isStopped = true;
    };
    const look = async () => {
      const rows = [];
      let { after } = wanted;
      for (;;) {
        const query = queryOf({ ...wanted, after, limit: PAGE_ROWS - rows.length });
        const { requests, next } = await call(`/admin/requests?${query}`, { signal: aborter.signal });
        rows.push(...requests);
        after = next;
        const isDone = next === null || rows.length >= PAGE_ROWS || isStopped;
        setState({ key, rows: [...rows], next, isLooking: !isDone });
        if (isDone) return;
        await new Promise((resolve) => setTimeout(resolve, LOOK_PAUSE_MS));
      }
    };
    look().catch((error) => error.name !== 'AbortError' && setState((before) => ({ key, rows: before.key === key ? before.rows : undefined, error })));
    return () => aborter.abort();
  }, [key, turn]);
  const isOf = state.key === key;
  const data = isOf && state.rows ? state : undefined;
  return { data, error: isOf ? state.error : undefined, again: () => setTurn((before) => before + 1), stop: () => stop.current() };
}

/** Where a page goes on: the cursor begins with the end of an exchange. */
function timeOf(next) {
  return moment(Number(atob(next.replaceAll('-', '+').replaceAll('_', '/')).split('.')[0]));
}

function Rows({ query, path, isGuardrails }) {
  const wanted = Object.fromEntries([...NAMES, 'after'].map((name) => [name, name === 'metadata' ? query.getAll(name) : query.get(name)]));
  const page = usePage(wanted);
  return html`<${Answered} of=${page} what="requests">
    ${({ rows, next, isLooking }) => {
      const looking = isLooking && html`<p role="status" class="note">Looking further back than ${timeOf(next)}; ${plural(rows.length, 'request')} so far. <button type="button" onClick=${page.stop}>Stop</button></p>`;
      const older = !isLooking && next && html`<a class="button" href=${to(path, { ...wanted, after: next })}>Older</a>`;
      if (rows.length === 0) {
        if (!looking && isGuardrails && next === null) return html`<${NoHit} />`;
        return looking || html`<${Empty} title="No request here">
          <p>${next ? 'Down to here none meets the filters.' : 'None meets the filters in this time. Widen the time, or take a filter away.'}</p>
          <div class="buttons">${older}</div>
        </${Empty}>`;
      }
      return html`<${RequestTable} rows=${rows} isGuardrails=${isGuardrails} />
        ${looking}
        <div class="buttons">
          ${wanted.after && html`<a class="button" href=${to(path, { ...wanted, after: undefined })}>Newest</a>`}
          ${older || (!isLooking && html`<span class="quiet">These are the oldest of this time.</span>`)}
          <button type="button" onClick=${page.again}>Refresh</button>
          <${Download} wanted=${wanted} />
        </div>`;
    }}
  </${Answered}>`;
}

function NoHit() {
  return html`<${Empty} title="No guard found anything">
    <p>None of the requests of this time was refused, changed or flagged. Guards stand in a <code>provider-account/guardrail-config-group</code>, and <code>gateway-guardrails-config</code> says which requests they look at. A request shows the guards that passed it under <a href=${to('/requests')}>Requests</a>.</p>
  </${Empty}>`;
}

/** All that meet the filters, as lines of JSON: page after page, with how far it is, until it is stopped. */
function Download({ wanted }) {
  const [so, setSo] = useState();
  const stop = useRef();
  const download = useAction(async () => {
    let isStopped = false;
    stop.current = () => {
      isStopped = true;
    };
    const pieces = [];
    let rows = 0;
    let { after } = wanted;
    do {
      const { requests, next } = await call(`/admin/requests?${queryOf({ ...wanted, after, limit: EXPORT_ROWS })}`);
      pieces.push(...requests.map((row) => `${JSON.stringify(row)}\n`));
      rows += requests.length;
      after = next;
      setSo({ rows, back: next === null ? undefined : timeOf(next) });
      if (after !== null) await new Promise((resolve) => setTimeout(resolve, LOOK_PAUSE_MS));
    } while (after !== null && rows < MAX_EXPORT && !isStopped);
    const url = URL.createObjectURL(new Blob(pieces, { type: 'application/jsonl' }));
    Object.assign(document.createElement('a'), { href: url, download: 'requests.jsonl' }).click();
    URL.revokeObjectURL(url);
    return { rows, isWhole: after === null };
  });
  useEffect(() => () => stop.current?.(), []);
  if (download.isBusy) {
    return html`<span role="status">${plural(so?.rows ?? 0, 'request')} so far${so?.back ? `, back to ${so.back}` : ''} …</span>
      <button type="button" onClick=${() => stop.current()}>Stop and keep these</button>`;
  }
  return html`<button type="button" onClick=${() => download.run()}>Download all of these as JSONL</button>
    ${download.done && html`<span role="status">${plural(download.done.rows, 'request')} written${download.done.isWhole ? '.' : html`, not all: <code>sluice ledger export</code> has no bound.`}</span>`}
    ${download.error && html`<${Fault} error=${download.error} />`}`;
}

/** Where it went is told where that is another name than was asked for. */
function whatOf({ path, model, target }) {
  const other = target && target !== model ? html` → ${target}` : '';
  return html`${model && html`${model}${other}<br />`}<span class="quiet">${path}</span>`;
}

const hits = (row) =>
  (Array.isArray(row.guardrails) ? row.guardrails : [])
    .filter(({ result }) => result !== 'passed')
    .map(({ guardrail, result }) => html`<div class="nowrap">${guardrail} <${Mark} kind=${result === 'mutated' ? 'warn' : 'bad'}>${result}</${Mark}></div>`);

function RequestTable({ rows, isGuardrails }) {
  return html`<${Table}
    caption="Requests, newest first"
    rows=${rows}
    keyOf=${(row) => row.id}
    columns=${[
      { name: 'When', header: true, nowrap: true, of: (row) => html`<a href=${to(`/requests/${encodeURIComponent(row.id)}`)}>${moment(row.ended_at ?? row.started_at)}</a>` },
      { name: 'Status', of: (row) => html`<${Status} status=${row.status} /> ${row.error_code ?? ''}` },
      ...(isGuardrails ? [{ name: 'Guards', of: hits }] : []),
      { name: 'What', of: whatOf },
      { name: 'Who', of: (row) => row.subject ?? '–' },
      { name: 'Tokens', right: true, of: (row) => (row.input_tokens === null && row.output_tokens === null ? '–' : `${count(row.input_tokens)} / ${count(row.output_tokens)}`) },
      { name: 'Cost', right: true, of: (row) => (row.cost_nano_usd === null ? '–' : money(row.cost_nano_usd)) },
      ...(isGuardrails ? [] : [{ name: 'First content', right: true, of: (row) => milliseconds(row.first_token_ms) }]),
      { name: 'Total', right: true, of: (row) => milliseconds(row.duration_ms) },
    ]}
  />`;
}

/** So many are shown, and kept: what came before is in the ledger. */
const MAX_TAIL = 200;
const DRAW_MS = 250;
const AGAIN_MS = 2_000;

export function Tail({ query }) {
  const isFailed = query.get('status') === 'failed';
  const [isPaused, setPaused] = useState(false);
  const { rows, skipped, error, isOpen } = useTail(isFailed ? 'status=failed' : '', isPaused);
  return html`
    <div class="buttons">
      <button type="button" aria-pressed=${isPaused} onClick=${() => setPaused(!isPaused)}>${isPaused ? 'Go on' : 'Pause'}</button>
      <a class="button" href=${to('/tail', { status: isFailed ? undefined : 'failed' })}>${isFailed ? 'All requests' : 'Only failed ones'}</a>
      <span role="status" class="quiet">${isPaused ? 'Paused' : isOpen ? 'Watching' : 'Connecting …'}${skipped > 0 ? `; ${count(skipped)} were skipped since this browser was slow` : ''}</span>
    </div>
    ${error && html`<${Fault} error=${error} />`}
    ${
      rows.length === 0
        ? html`<${Empty} title="Nothing has ended yet"><p>Requests stand here as they end, at most ${MAX_TAIL} of them. Those of before are under <a href=${to('/requests')}>Requests</a>.</p></${Empty}>`
        : html`<${RequestTable} rows=${rows} />`
    }
  `;
}

/** The newest first; drawn a few times a second however many come. */
function useTail(query, isPaused) {
  const [state, setState] = useState({ rows: [], skipped: 0 });
  useEffect(() => {
    if (isPaused) return undefined;
    const aborter = new AbortController();
    let waiting = [];
    let skipped = 0;
    let last;
    let again;
    const draw = setInterval(() => {
      if (waiting.length === 0 && skipped === 0) return;
      const news = waiting.reverse();
      const missed = skipped;
      waiting = [];
      skipped = 0;
      setState((before) => ({ ...before, rows: [...news, ...before.rows].slice(0, MAX_TAIL), skipped: before.skipped + missed }));
    }, DRAW_MS);
    const take = ({ event, data, id }) => {
      last = id ?? last;
      if (event === 'skipped') skipped += data.events;
      if (event !== 'request') return;
      waiting.push(data);
      if (waiting.length > MAX_TAIL) waiting.shift();
    };
    const open = async () => {
      try {
        const path = `/admin/requests/tail?${query}${last === undefined ? '' : `&after=${last}`}`;
        const answer = await ask(path, { signal: aborter.signal });
        setState((before) => ({ ...before, isOpen: true, error: undefined }));
        for await (const each of eventsOf(answer.body)) take({ ...each, data: JSON.parse(each.data) });
        setState((before) => ({ ...before, isOpen: false }));
      } catch (error) {
        if (error.name === 'AbortError') return;
        setState((before) => ({ ...before, isOpen: false, error: error.code ? error : undefined }));
      }
      if (!aborter.signal.aborted) again = setTimeout(open, AGAIN_MS);
    };
    open();
    return () => {
      aborter.abort();
      clearInterval(draw);
      clearTimeout(again);
    };
  }, [query, isPaused]);
  return state;
}

/** Server-sent events of a body: `{event, data, id}`. Comments are passed over. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value.replaceAll('\r', '');
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const event = eventOf(text.slice(0, end));
      text = text.slice(end + 2);
      if (event.data !== '') yield event;
    }
  }
}

function eventOf(text) {
  const event = { event: 'message', data: '', id: undefined };
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === 'data') event.data += (event.data === '' ? '' : '\n') + value;
    else if (name === 'event' || name === 'id') event[name] = value;
  }
  return event;
}
