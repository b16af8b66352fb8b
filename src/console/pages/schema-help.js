// Help beside the editor: what the key under the cursor means, and what else may stand there.
import { html, useAnswer } from './core.js';
import { words } from './parts.js';

const MAX_FORMS = 6;

/** Names without what marks lists and forms: `rules[].when` is `rules`, `when`. */
function namesOf(path) {
  return path.replace(/\[[^\]]*\]/g, '').split('.');
}

const fits = (names, path) => names.length === path.length && names.every((name, index) => name === 'KEY' || name === path[index]);

export function Help({ place }) {
  const { type, path = [], isEmpty } = place ?? {};
  const kinds = useAnswer(type === undefined ? '/admin/configuration/keys' : undefined);
  const known = useAnswer(type === undefined ? undefined : `/admin/configuration/keys?type=${encodeURIComponent(type)}`);
  const keys = known.data?.keys ?? [];
  const own = keys.filter((key) => fits(namesOf(key.path), path));
  const parent = isEmpty || path.length === 0 ? path : path.slice(0, -1);
  const beside = keys.filter((key) => key.path !== '' && namesOf(key.path).length === parent.length + 1 && fits(namesOf(key.path).slice(0, -1), parent));
  const inside = isEmpty || path.length === 0 ? [] : keys.filter((key) => namesOf(key.path).length === path.length + 1 && fits(namesOf(key.path).slice(0, -1), path));
  return html`<section class="card help" tabindex="0" aria-label="Help of the key under the cursor">
    <div role="status">
      ${
        place === undefined
          ? html`<h2>Help</h2><p class="quiet">Put the cursor into the text: what its key means stands here.</p>`
          : html`<h2><code>${path.join('.') || (type ?? 'type')}</code></h2>
              ${known.error && html`<p>${known.error.status === 404 ? 'There is no such kind of manifest.' : known.error.message}</p>`}
              ${own.slice(0, MAX_FORMS).map((key) => html`<${Key} of=${key} />`)}
              ${known.data && own.length === 0 && path.length > 0 && path[0] !== 'type' && !isEmpty && html`<p>This kind has no such key here.</p>`}`
      }
    </div>
    ${type === undefined && kinds.data && html`<h3>Kinds</h3><p>Every manifest begins with <code>type</code>, one of:</p><ul>${kinds.data.types.map((each) => html`<li><code>${each}</code></li>`)}</ul>`}
    ${inside.length > 0 && html`<h3>Inside of it</h3><${Keys} of=${inside} />`}
    ${beside.length > 0 && html`<h3>${parent.length === 0 ? `Keys of ${type}` : html`Keys of <code>${parent.join('.')}</code>`}</h3><${Keys} of=${beside} />`}
  </section>`;
}

function Key({ of }) {
  return html`<div>
    ${/\[[^\]]+\]/.test(of.path) && html`<p class="quiet"><code>${of.path}</code></p>`}
    ${of.meaning && html`<p>${words(of.meaning)}</p>`}
    <p><strong>Allowed:</strong> ${words(of.allowed)}${of.required ? ' · required' : ''}${of.default === null ? '' : html` · without it <code>${String(of.default)}</code>`}</p>
  </div>`;
}

function Keys({ of }) {
  return html`<dl class="keys">
    ${of.map((key) => html`<div><dt><code>${namesOf(key.path).at(-1)}</code>${key.required ? ' (required)' : ''}</dt><dd>${words(key.meaning ?? key.allowed)}</dd></div>`)}
  </dl>`;
}
