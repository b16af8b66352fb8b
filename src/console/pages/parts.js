// Parts that several pages are made of.
import { count, html, moment } from './core.js';
import { useEffect, useId, useRef, useState } from './lib/hooks.js';

/** What a question came to: its faults, that it is under way, or what is made of its answer. */
export function Answered({ of, children, what = 'data' }) {
  const { data, error } = of;
  return html`
    ${error && html`<${Fault} error=${error} again=${of.again} />`}
    ${data === undefined ? !error && html`<p class="quiet" role="status">Loading ${what} …</p>` : children(data)}
  `;
}

export function Fault({ error, again }) {
  return html`<div class="fault" role="alert">
    <p><strong>${error.code && error.code !== 'unknown' ? `${error.code}: ` : ''}</strong>${words(error.message ?? '')}</p>
    ${again && html`<button type="button" onClick=${again}>Try again</button>`}
  </div>`;
}

/** Nothing is there, and what to do about it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><div>${children}</div></div>`;
}

/**
 * `columns`: `{name, of(row), right, nowrap, id, header}`; `of` gives what stands in the cell. On a phone each row is a card, and
 * each cell has its name before it; roles are written out, since what is no table to the eye is none to a screen reader either.
 */
export function Table({ caption, columns, rows, keyOf }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table role="table">
      <caption class="unseen">${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">${columns.map(({ name, right }) => html`<th scope="col" role="columnheader" class=${right ? 'right' : ''}>${name}</th>`)}</tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row, index) => html`<tr role="row" key=${keyOf ? keyOf(row) : index}>
            ${columns.map(({ name, of, right, nowrap, id, header }) => {
              const form = right ? 'right' : nowrap ? 'nowrap' : id ? 'id' : '';
              const found = of(row);
              const isEmpty = found === undefined || found === null || found === false || found.length === 0;
              const inside = isEmpty ? '' : html`<div>${found}</div>`;
              return header ? html`<th scope="row" role="rowheader" class=${form} data-name=${name}>${inside}</th>` : html`<td role="cell" class=${form} data-name=${name}>${inside}</td>`;
            })}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A labelled field; `hint` is read with it. */
export function Field({ label, hint, value, onInput, type = 'text', options, list, rows, inputRef, ...rest }) {
  const id = useId();
  const described = hint ? `${id}h` : undefined;
  const given = { id, value, 'aria-describedby': described, ...rest };
  const take = (event) => onInput?.(event.currentTarget.value);
  let control = html`<input type=${type} ...${given} onInput=${take} list=${list && `${id}l`} autocomplete="off" spellcheck=${false} />`;
  if (options) {
    control = html`<select ...${given} onChange=${take}>
      ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
    </select>`;
  } else if (rows) control = html`<textarea ref=${inputRef} ...${given} rows=${rows} onInput=${take} spellcheck=${false}></textarea>`;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${control}
    ${list && html`<datalist id=${`${id}l`}>${list.map((each) => html`<option value=${each}></option>`)}</datalist>`}
    ${hint && html`<small id=${described}>${words(hint)}</small>`}
  </div>`;
}

/** What stands between backticks is code. */
export function words(text) {
  return text.split('`').map((each, index) => (index % 2 === 1 ? html`<code>${each}</code>` : each));
}

/** Text to take along, with a button that copies it. */
export function Copyable({ text, label = 'Copy' }) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      // Without TLS, off this machine, browsers give no clipboard.
      setSaid('The browser does not let this page copy: select the text instead.');
    }
  };
  return html`<div class="copyable">
    <pre tabindex="0" aria-label=${label}><code>${text}</code></pre>
    <button type="button" onClick=${copy}>${label}</button>
    <span role="status">${said}</span>
  </div>`;
}

/** Asks before something that cannot be taken back. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const id = useId();
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose}>
    <h2 id=${id}>${title}</h2>
    ${children}
  </dialog>`;
}

const STATES = { 2: 'good', 3: 'good', 4: 'warn', 5: 'bad' };

export function Status({ status }) {
  return html`<span class=${`mark ${STATES[String(status)[0]] ?? 'bad'}`}>${status}</span>`;
}

export function Mark({ kind, children }) {
  return html`<span class=${`mark ${kind}`}>${children}</span>`;
}

/** A share of a limit, which may be more than 100; or, with `isProgress`, of work, of which all is good. */
export function Meter({ percent, label, isProgress }) {
  const kind = isProgress ? 'good' : percent >= 100 ? 'bad' : percent >= 80 ? 'warn' : 'good';
  return html`<div class="meter" role="meter" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.min(100, percent)} aria-valuetext=${`${percent} percent`}>
    <div class=${kind} style=${{ width: `${Math.max(0, Math.min(100, percent))}%` }}></div>
  </div>`;
}

/** Names and values, one below the other. */
export function Facts({ of }) {
  return html`<dl class="facts">
    ${of
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

/** A number with its name, perhaps a link to what it sums. */
export function Figure({ name, value, link, note }) {
  return html`<div class="figure">
    <div class="name">${name}</div>
    <div class="value">${link ? html`<a href=${link}>${value}</a>` : value}</div>
    ${note && html`<div class="quiet">${note}</div>`}
  </div>`;
}

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Lines over time. `times` in seconds; `lines`: `{name, values, colour}`. The same numbers stand in a table for those that
 * do not see it; `linkOf(index)` is where the rows of one point are.
 */
export function TimeChart({ title, times, lines, write = count, linkOf }) {
  const place = useRef();
  const [isOpen, setOpen] = useState(false);
  const [isDark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const changed = () => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  const key = JSON.stringify([times, lines.map(({ values }) => values)]);
  useEffect(() => {
    let chart;
    let watch;
    let left = false;
    import('./lib/uplot.js').then(({ default: UPlot }) => {
      if (left || !place.current) return;
      chart = new UPlot(chartOptions(UPlot, place.current, lines, write, (at) => linkOf && location.assign(linkOf(at))), [times, ...lines.map(({ values }) => values)], place.current);
      watch = new ResizeObserver(([{ contentRect }]) => chart.setSize({ width: Math.floor(contentRect.width), height: 180 }));
      watch.observe(place.current);
    });
    return () => {
      left = true;
      watch?.disconnect();
      chart?.destroy();
    };
  }, [key, isDark]);
  return html`<figure class="chart">
    <figcaption>${title} ${lines.length > 1 && html`<span class="legend">${lines.map(({ name, colour }) => html`<span><i class=${colour}></i>${name}</span>`)}</span>`}</figcaption>
    <div ref=${place} class="plot" aria-hidden="true"></div>
    <details onToggle=${({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>As a table<span class="unseen">: ${title}</span></summary>
      ${isOpen && html`<${Table}
        caption=${title}
        rows=${times.map((_, index) => index).reverse()}
        columns=${[
          { name: 'Time', header: true, of: (at) => (linkOf ? html`<a href=${linkOf(at)}>${moment(times[at])}</a>` : moment(times[at])) },
          ...lines.map(({ name, values }) => ({ name, right: true, of: (at) => (values[at] === null ? '–' : write(values[at])) })),
        ]}
      />`}
    </details>
  </figure>`;
}

function chartOptions(UPlot, place, lines, write, open) {
  const text = colourOf('--quiet');
  const grid = { stroke: colourOf('--line'), width: 1 };
  const bars = UPlot.paths.bars({ size: [0.8, 40] });
  return {
    width: Math.max(200, Math.floor(place.clientWidth)),
    height: 180,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: { y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.1 : write === count ? 10 : 1e9] } },
    axes: [
      { stroke: text, grid: { show: false }, ticks: grid },
      { stroke: text, grid, ticks: { show: false }, size: 72, values: (_chart, splits) => splits.map((each) => write(each)) },
    ],
    series: [
      {},
      ...lines.map(({ name, colour, form }) => ({
        label: name,
        stroke: colourOf(`--${colour}`),
        fill: form === 'bars' ? colourOf(`--${colour}`) : undefined,
        width: form === 'bars' ? 0 : 2,
        paths: form === 'bars' ? bars : undefined,
        points: { show: form !== 'bars', size: 5 },
      })),
    ],
    hooks: {
      ready: [
        (chart) => chart.over.addEventListener('click', () => chart.cursor.idx !== null && chart.cursor.idx !== undefined && open(chart.cursor.idx)),
      ],
    },
  };
}
