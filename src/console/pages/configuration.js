// The files in force, an editor that checks them, the difference, and a way to apply or to take it along.
import { call, html, SessionContext, useAction, useAnswer } from './core.js';
import { useContext, useEffect, useRef, useState } from './lib/hooks.js';
import { Answered, Copyable, Dialog, Empty, Fault, Field, Table } from './parts.js';
import { Help } from './schema-help.js';
import { placeAt } from './yaml-place.js';

const REFERENCE = '${env:NAME}';

export function ConfigurationPage() {
  const files = useAnswer('/admin/configuration');
  return html`<${Answered} of=${files} what="the configuration">
    ${({ files: found }) =>
      found.length === 0
        ? html`<${Empty} title="No file"><p>This gateway runs without a configuration file: with variables of providers, or with the demo alone. Start it with <code>--config ./config</code>.</p></${Empty}>`
        : html`<${Editor} files=${found} again=${files.again} />`}
  </${Answered}>`;
}

function Editor({ files, again }) {
  const session = useContext(SessionContext);
  const mayApply = !session.read_only && session.role === 'admin';
  const [name, setName] = useState(files[0].file);
  const file = files.find((each) => each.file === name) ?? files[0];
  const [texts, setTexts] = useState({});
  const [isAsking, setAsking] = useState(false);
  const [place, setPlace] = useState();
  const area = useRef();
  const text = texts[file.file] ?? file.text ?? '';
  const isChanged = text !== file.text;
  const check = useAction(() => call('/admin/configuration/check', { method: 'POST', body: { file: file.file, text } }));
  const apply = useAction(async () => {
    const done = await call('/admin/configuration', { method: 'PUT', body: { file: file.file, text, version: file.version } });
    again();
    return done;
  });
  // What was written is shown until the gateway tells it as its own.
  useEffect(() => {
    if (texts[file.file] === file.text) setTexts((before) => ({ ...before, [file.file]: undefined }));
  }, [file.text]);
  /** The key that the cursor is in. */
  const look = () => {
    const found = placeAt(area.current.value, area.current.selectionStart);
    setPlace((before) => (JSON.stringify(before) === JSON.stringify(found) ? before : found));
  };
  const goTo = (line) => {
    const { value } = area.current;
    const start = value.split('\n').slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(start, start + (value.split('\n')[line - 1] ?? '').length);
    look();
  };
  const edit = (value) => {
    setTexts((before) => ({ ...before, [file.file]: value }));
    check.clear();
    apply.clear();
  };
  const faults = check.done ? [...check.done.faults.map((each) => ({ ...each, kind: 'Fault' })), ...check.done.warnings.map((each) => ({ ...each, kind: 'Warning' }))] : [];
  return html`
    <p>Secrets that stand in a file are shown as <code>(secret 1)</code> and stay as they are: leave these words where they stand. References such as <code>${REFERENCE}</code> are shown as they are written.</p>
    <div class="fields"><${Field} label="File" value=${file.file} options=${files.map((each) => [each.file, `${each.file}${each.file in texts && texts[each.file] !== undefined ? ' (changed)' : ''}`])} onInput=${(value) => {
      setName(value);
      check.clear();
      apply.clear();
    }} /></div>
    ${
      file.text === null
        ? html`<div class="note"><p>It is not shown: ${file.reason}.</p></div>`
        : html`
            <div class="editor">
              <div class="wide"><${Field} label="Text" rows="28" value=${text} onInput=${(value) => {
                edit(value);
                look();
              }} onKeyUp=${look} onClick=${look} onFocus=${look} inputRef=${area} readonly=${session.role === 'viewer'} hint="The help beside it follows the cursor." /></div>
              <${Help} place=${place} />
            </div>
            <div class="buttons">
              <button type="button" class="first" disabled=${check.isBusy} onClick=${() => check.run()}>Check</button>
              ${isChanged && mayApply && file.is_writable && html`<button type="button" disabled=${!check.done || check.done.faults.length > 0} onClick=${() => setAsking(true)}>Apply …</button>`}
              ${isChanged && html`<button type="button" onClick=${() => edit(file.text)}>Undo</button>`}
              ${isChanged && !file.is_writable && html`<span class="quiet">The gateway may not write this file: take the text along, below.</span>`}
              ${isChanged && file.is_writable && !mayApply && html`<span class="quiet">To apply it needs the role admin.</span>`}
            </div>
          `
    }
    ${check.error && html`<${Fault} error=${check.error} />`}
    ${apply.error && html`<${Fault} error=${apply.error} />`}
    ${apply.done && html`<p class="note" role="status">Written. The gateway takes it within seconds; what needs a restart is a warning of the log.</p>`}
    ${check.done && html`<p role="status">${check.done.faults.length === 0 ? 'No fault.' : 'It would not be taken.'}</p>`}
    ${
      faults.length > 0 &&
      html`<${Table} caption="Faults and warnings" rows=${faults} columns=${[
        { name: 'Kind', header: true, of: ({ kind }) => kind },
        { name: 'Where', of: (each) => html`${each.line && each.file === file.file ? html`<button type="button" onClick=${() => goTo(each.line)}>line ${each.line}</button>` : `${each.file}${each.line ? `:${each.line}` : ''}`} <code>${each.path}</code>` },
        { name: 'What', of: ({ message, found }) => `${message}${found ? ` — found ${found}` : ''}` },
        { name: 'Allowed', of: ({ allowed }) => allowed ?? '' },
        { name: 'Remedy', of: ({ remedy }) => remedy ?? '' },
      ]} />`
    }
    ${isChanged && html`<h2>What would change</h2><${Difference} before=${file.text} after=${text} />
      <details><summary>Take it along</summary><${Copyable} text=${text} label="Copy the file" /></details>`}
    ${
      isAsking &&
      html`<${Dialog} title=${`Write ${file.file}?`} onClose=${() => setAsking(false)}>
        <${Difference} before=${file.text} after=${text} />
        <div class="buttons">
          <button type="button" class="danger" onClick=${() => {
            setAsking(false);
            apply.run();
          }}>Write it</button>
          <button type="button" onClick=${() => setAsking(false)}>Cancel</button>
        </div>
      </${Dialog}>`
    }
  `;
}

/** Lines that both have at the beginning and the end are left out but for three; between them all of before, then of after. */
function Difference({ before, after }) {
  const [one, other] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const around = 3;
  const first = Math.max(0, start - around);
  return html`<pre class="diff" tabindex="0" aria-label="Difference"><span class="quiet">line ${first + 1}</span>${'\n'}${one.slice(first, start).map((line) => `  ${line}\n`)}${one.slice(start, one.length - end).map((line) => html`<del>- ${line}</del>`)}${other.slice(start, other.length - end).map((line) => html`<ins>+ ${line}</ins>`)}${one.slice(one.length - end, one.length - end + around).map((line) => `  ${line}\n`)}</pre>`;
}
