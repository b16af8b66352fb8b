// MCP servers, batches and files, the cache, and the audit log.
import { bytes, call, count, html, moment, plural, queryOf, to, useAction, useAnswer, useMay } from './core.js';
import { useState } from './lib/hooks.js';
import { Answered, Copyable, Dialog, Empty, Facts, Fault, Field, Figure, Mark, Meter, Table } from './parts.js';

const LIVE_MS = 5_000;

export function McpServers() {
  const mayChange = useMay('admin');
  const servers = useAnswer('/admin/mcp-servers');
  const connections = useAnswer('/admin/mcp-connections');
  const signIns = useAnswer('/admin/mcp-sign-ins');
  const approve = useAction(async (name) => {
    await call(`/admin/mcp-servers/${encodeURIComponent(name)}/approve`, { method: 'POST', body: {} });
    servers.again();
  });
  const end = useAction(async (path, list) => {
    await call(path, { method: 'DELETE' });
    list.again();
  });
  const [asked, setAsked] = useState();
  const ended = (kind, list) => ({
    name: 'Change',
    of: ({ id }) => html`<button type="button" class="danger" onClick=${() => setAsked({ path: `/admin/${kind}/${encodeURIComponent(id)}`, list, id })}>Take back<span class="unseen"> ${id}</span></button>`,
  });
  return html`
    ${approve.error && html`<${Fault} error=${approve.error} />`}
    ${end.error && html`<${Fault} error=${end.error} />`}
    <${Answered} of=${servers} what="MCP servers">
      ${({ data }) =>
        data.length === 0
          ? html`<${Empty} title="No MCP server"><p>A manifest <code>mcp-server/…</code> puts a server behind the gateway, with its access, limits and guards. Clients reach it at <code>/mcp/v1/NAME/mcp</code>.</p></${Empty}>`
          : data.map((server) => html`<${McpServer} key=${server.name} of=${server} approve=${mayChange && approve} />`)}
    </${Answered}>
    <h2>What users brought</h2>
    <${Answered} of=${connections} what="connections">
      ${({ data }) => html`<${Records} caption="Consents and values of users, never secrets" rows=${data} none="No user connected to a server. They do when they first call one that wants their consent, or at /mcp/oauth/connect/NAME." more=${mayChange ? [ended('mcp-connections', connections)] : []} />`}
    </${Answered}>
    <h2>Clients that are signed in</h2>
    <${Answered} of=${signIns} what="sign-ins">
      ${({ data }) => html`<${Records} caption="Clients of MCP that users signed in" rows=${data} none="No client is signed in: those that send a key as a header need not be." more=${mayChange ? [ended('mcp-sign-ins', signIns)] : []} />`}
    </${Answered}>
    ${
      asked &&
      html`<${Dialog} title="Take it back?" onClose=${() => setAsked(undefined)}>
        <p>Its user has to agree or sign in anew before it works again.</p>
        <div class="buttons">
          <button type="button" class="danger" onClick=${() => {
            end.run(asked.path, asked.list);
            setAsked(undefined);
          }}>Take back</button>
          <button type="button" onClick=${() => setAsked(undefined)}>Cancel</button>
        </div>
      </${Dialog}>`
    }
  `;
}

const SERVERS = { up: 'good', down: 'bad' };

function McpServer({ of, approve }) {
  const { name, status, reason, tools, changed_tools: differ, ...rest } = of;
  return html`<section class="card" aria-label=${name}>
    <h2>${name} <${Mark} kind=${SERVERS[status] ?? 'plain'}>${status === 'unknown' ? 'not asked yet' : status}</${Mark}></h2>
    ${reason && html`<p>${reason}</p>`}
    <${Facts} of=${[...Object.entries(rest).map(([key, value]) => [key.replaceAll('_', ' '), text(value)]), ['address for clients', html`<code>/mcp/v1/${name}/mcp</code>`], ['calls', html`<a href=${to('/requests', { target: name })}>requests<span class="unseen"> to ${name}</span></a>`]]} />
    ${tools === null ? html`<p class="quiet">Its tools are known once somebody asked for them.</p>` : html`<details><summary>${plural(tools.length, 'tool')}<span class="unseen"> of ${name}</span></summary><ul>${tools.map((tool) => html`<li>${tool}</li>`)}</ul></details>`}
    ${differ.length > 0 && html`<p><${Mark} kind="warn">changed since they were first seen</${Mark}> ${differ.map((tool) => text(tool.name ?? tool)).join(', ')}</p>`}
    ${differ.length > 0 && approve && html`<button type="button" disabled=${approve.isBusy} onClick=${() => approve.run(name)}>Take them as they are now</button>`}
  </section>`;
}

/** Rows whose fields the answer itself names. */
function Records({ caption, rows, none, more = [] }) {
  if (rows.length === 0) return html`<p class="quiet">${none}</p>`;
  const names = Object.keys(rows[0]);
  return html`<${Table} caption=${caption} rows=${rows} columns=${[...names.map((name, index) => ({ name: name.replaceAll('_', ' '), header: index === 0, of: (row) => (/_at$/.test(name) ? moment(row[name]) : text(row[name])) })), ...more]} />`;
}

const BATCHES = { completed: 'good', failed: 'bad', expired: 'warn', cancelled: 'plain', cancelling: 'warn' };

export function Batches({ query }) {
  const after = query.get('after');
  const batches = useAnswer(`/admin/batches?${queryOf({ limit: 50, after })}`, { everyMs: LIVE_MS });
  const files = useAnswer(`/admin/files?${queryOf({ limit: 50, after: query.get('file') })}`);
  return html`
    <h2>Batches</h2>
    <${Answered} of=${batches} what="batches">
      ${({ data, next }) =>
        data.length === 0
          ? html`<${Empty} title="No batch"><p>A client uploads a file of requests with <code>POST /files</code> and runs it with <code>POST /batches</code>, on any model, at its provider's pace.</p></${Empty}>`
          : html`<${Table} caption="Batches, newest first" rows=${data} keyOf=${({ id }) => id} columns=${[
                { name: 'Batch', header: true, id: true, of: ({ id }) => id },
                { name: 'State', of: ({ status }) => html`<${Mark} kind=${BATCHES[status] ?? 'plain'}>${status}</${Mark}>` },
                { name: 'Done', of: (batch) => html`${count(batch.completed + batch.failed)} of ${count(batch.total)}${batch.failed > 0 ? `, ${count(batch.failed)} failed` : ''}${batch.total > 0 ? html`<${Meter} percent=${Math.floor(((batch.completed + batch.failed) / batch.total) * 100)} label=${`done of ${batch.id}`} isProgress=${true} />` : ''}` },
                { name: 'Of', of: ({ owner }) => html`<a href=${owner.startsWith('team:') ? to('/requests', { team: owner.slice(5) }) : to('/requests', { user: owner })}>${owner}</a>` },
                { name: 'Endpoint', of: ({ endpoint }) => endpoint },
                { name: 'Began', of: ({ created_at: at }) => moment(at) },
                { name: 'Ended', of: ({ ended_at: at }) => moment(at) },
                { name: 'Faults', of: ({ faults }) => faults.map(({ line, message }) => html`<div>${line ? `line ${line}: ` : ''}${message}</div>`) },
              ]} />
              ${next && html`<a class="button" href=${to('/batches', { after: next })}>Older</a>`}`}
    </${Answered}>
    <h2>Files</h2>
    <${Answered} of=${files} what="files">
      ${({ data, next }) =>
        data.length === 0
          ? html`<p class="quiet">No file is kept. Clients upload one with <code>POST /files</code>.</p>`
          : html`<${Table} caption="Files, newest first" rows=${data} keyOf=${({ id }) => id} columns=${[
                { name: 'File', header: true, id: true, of: ({ id }) => id },
                { name: 'Name', id: true, of: ({ filename }) => filename },
                { name: 'For', of: ({ purpose }) => purpose },
                { name: 'Size', right: true, of: ({ bytes: size }) => bytes(size) },
                { name: 'Of', of: ({ owner }) => owner },
                { name: 'Kept since', of: ({ created_at: at }) => moment(at) },
                { name: 'Until', of: ({ expires_at: at }) => (at === null ? 'it is deleted' : moment(at)) },
              ]} />
              ${next && html`<a class="button" href=${to('/batches', { file: next })}>Older</a>`}`}
    </${Answered}>
  `;
}

export function Cache() {
  const mayChange = useMay('operator');
  const cache = useAnswer('/admin/cache', { everyMs: LIVE_MS });
  const [namespace, setNamespace] = useState();
  const flush = useAction(async (of) => {
    const done = await call(`/admin/cache?${queryOf({ namespace: of })}`, { method: 'DELETE' });
    cache.again();
    return done;
  });
  return html`
    ${flush.error && html`<${Fault} error=${flush.error} />`}
    ${flush.done && html`<p role="status" class="note">Dropped: ${text(flush.done.flushed)}</p>`}
    <${Answered} of=${cache} what="the cache">
      ${(view) => html`
        <div class="figures">${Object.entries(view).filter(([, value]) => typeof value !== 'object').map(([name, value]) => html`<${Figure} name=${name.replaceAll('_', ' ')} value=${amountOf(name, value)} />`)}</div>
        ${Object.entries(view).filter(([, value]) => typeof value === 'object' && value !== null).map(([name, value]) => html`<h2>${name.replaceAll('_', ' ')}</h2>${Array.isArray(value) ? html`<${Records} caption=${name} rows=${value} none="None." />` : html`<${Facts} of=${Object.entries(value).map(([key, each]) => [key.replaceAll('_', ' '), typeof each === 'object' ? text(each) : amountOf(key, each)])} />`}`)}
        <p class="quiet">Answers are cached where a request asks for it (<code>x-tfy-cache-config</code>) or a rule of <code>sluice/cache</code> says so.</p>
      `}
    </${Answered}>
    ${mayChange && html`<div class="buttons"><button type="button" class="danger" onClick=${() => setNamespace('')}>Drop cached answers …</button></div>`}
    ${
      namespace !== undefined &&
      html`<${Dialog} title="Drop cached answers" onClose=${() => setNamespace(undefined)}>
        <${Field} label="Namespace" value=${namespace} onInput=${setNamespace} hint="Empty: all of them." />
        <div class="buttons">
          <button type="button" class="danger" onClick=${() => {
            flush.run(namespace);
            setNamespace(undefined);
          }}>Drop</button>
          <button type="button" onClick=${() => setNamespace(undefined)}>Cancel</button>
        </div>
      </${Dialog}>`
    }
  `;
}

function amountOf(name, value) {
  if (typeof value !== 'number') return String(value);
  return /bytes/.test(name) ? bytes(value) : count(value);
}

export function Audit({ query }) {
  const audit = useAnswer(`/admin/audit?${query.toString()}`);
  return html`
    <p>Every change by the admin API and the console, sign-ins and what was refused, each entry with the hash of the one before.</p>
    <${Answered} of=${audit} what="the audit log">
      ${(answer) => {
        const rows = answer.data;
        const next = answer.has_more ? rows.at(-1)?.id : undefined;
        if (rows.length === 0) return html`<${Empty} title="Nothing was changed"><p>Keys that are made, targets that are reset and the like stand here.</p></${Empty}>`;
        return html`<${Table} caption="Changes, newest first" rows=${rows} keyOf=${({ id }) => id} columns=${[
            { name: 'When', header: true, nowrap: true, of: ({ at }) => moment(at) },
            { name: 'Who', of: ({ actor, by, role }) => html`${actor}<br /><span class="quiet">${[...new Set([role, by])].join(', by ')}</span>` },
            { name: 'What', of: ({ action, path }) => html`${action}<br /><span class="quiet">${path}</span>` },
            { name: 'Outcome', of: ({ outcome }) => html`<${Mark} kind=${outcome === 'done' ? 'good' : 'warn'}>${outcome}</${Mark}>` },
            { name: 'Of', id: true, of: ({ ids }) => text(ids) },
            { name: 'More', of: ({ detail }) => Object.entries(detail ?? {}).map(([name, value]) => html`<div><span class="quiet">${name}</span> ${text(value)}</div>`) },
          ]} />
          ${next && html`<a class="button" href=${to('/audit', { after: next })}>Older</a>`}
          <details><summary>As JSON</summary><${Copyable} text=${JSON.stringify(rows, null, 2)} /></details>`;
      }}
    </${Answered}>
  `;
}

function text(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
