// A chat with one model, or with several beside each other. The key stays in the memory of this page.
import { ask, call, count, html, milliseconds, money, plural, Refusal, to, useAnswer } from './core.js';
import { useEffect, useRef, useState } from './lib/hooks.js';
import { Copyable, Facts, Fault, Field } from './parts.js';
import { eventsOf } from './requests.js';

const MAX_SIDES = 4;
const MAX_IMAGE_BYTES = 500_000;
/** Until the receipt of an exchange is in the ledger. */
const RECEIPT_MS = [700, 1_500, 3_000];

/** Not in a store of the browser: it is gone with the page. */
let heldKey = '';

export function Playground({ query }) {
  const models = useAnswer('/admin/models');
  const from = query.get('from');
  const [key, setKey] = useState(heldKey);
  const [sides, setSides] = useState(() => query.getAll('model').slice(0, MAX_SIDES));
  const [values, setValues] = useState({ system: '', prompt: '', temperature: '', max_tokens: '', tools: '' });
  const [image, setImage] = useState();
  const [isStreamed, setStreamed] = useState(true);
  const [fault, setFault] = useState();
  const [told, setTold] = useState('');
  /** The body of a kept request, of which all but the model and the stream is sent as it was. */
  const [kept, setKept] = useState();
  const [isAsItWas, setAsItWas] = useState(true);
  const [runs, setRuns] = useState([]);
  const aborter = useRef();
  const field = (name) => ({ value: values[name], onInput: (value) => setValues((before) => ({ ...before, [name]: value })) });
  const chats = (models.data?.models ?? []).filter(({ model_types: types }) => types.length === 0 || types.includes('chat')).map(({ id }) => id);
  const known = [...(models.data?.virtual_models ?? []).map(({ id }) => id), ...chats];

  useEffect(() => {
    if (from === null) return;
    call(`/admin/requests/${encodeURIComponent(from)}`).then(
      ({ bodies, what }) => {
        const body = bodyOf(bodies?.request);
        const filled = body && filledFrom(body);
        if (filled) setValues((before) => ({ ...before, ...filled }));
        if (filled && /\/chat\/completions$/.test(what.path)) setKept(body);
        else setTold(filled ? 'Filled from the kept request, which has another form than that of chats: its last message and what the system was told are taken over as text.' : 'The kept request cannot be read: it was cut, or is of another form than that of chats.');
      },
      (error) => setFault(error),
    );
  }, [from]);
  useEffect(() => () => aborter.current?.abort(), []);

  const isReplay = kept !== undefined && isAsItWas;
  const request = () => (isReplay ? { ...kept, ...streaming(isStreamed) } : requestOf(values, image, isStreamed));
  const change = (index, patch) => setRuns((before) => before.map((run, at) => (at === index ? { ...run, ...patch(run) } : run)));
  const send = async (event) => {
    event.preventDefault();
    heldKey = key;
    setFault(undefined);
    let body;
    try {
      body = request();
    } catch (error) {
      setFault(error);
      return;
    }
    const names = sides.filter((name) => name.trim() !== '');
    if (names.length === 0) {
      setFault(new Refusal(0, 'model', 'Name a model first.'));
      return;
    }
    aborter.current?.abort();
    const control = new AbortController();
    aborter.current = control;
    setRuns(names.map((model) => ({ model, text: '', isRunning: true })));
    await Promise.all(names.map((model, index) => run({ key, request: { model, ...body } }, control.signal, (patch) => control === aborter.current && change(index, patch))));
  };
  const isRunning = runs.some((each) => each.isRunning);
  return html`
    ${told && html`<p class="note" role="status">${told}</p>`}
    <form onSubmit=${send}>
      <div class="fields">
        <${Field} label="API key of this gateway" type="password" required value=${key} onInput=${setKey} hint="Its limits, budgets and guards hold, and it pays. It is kept in this page alone, and forgotten when the page is left." />
      </div>
      <fieldset class="card">
        <legend>Models, beside each other</legend>
        <div class="fields">
          ${(sides.length === 0 ? [''] : sides).map(
            (model, index) => html`<${Field}
              key=${index}
              label=${`Model ${index + 1}`}
              value=${model}
              list=${known}
              placeholder="account/model"
              onInput=${(value) => setSides((before) => Object.assign(before.length === 0 ? [''] : [...before], { [index]: value }))}
            />`,
          )}
        </div>
        <div class="buttons">
          ${sides.length < MAX_SIDES && html`<button type="button" onClick=${() => setSides((before) => (before.length === 0 ? ['', ''] : [...before, '']))}>One more</button>`}
          ${sides.length > 1 && html`<button type="button" onClick=${() => setSides((before) => before.slice(0, -1))}>One less</button>`}
        </div>
      </fieldset>
      ${
        kept &&
        html`<div class="card wide">
          <label class="tick"><input type="checkbox" checked=${isAsItWas} onChange=${() => setAsItWas(!isAsItWas)} /> Send it as it was</label>
          <p class="quiet">${plural(kept.messages.length, 'message')}${kept.tools?.length > 0 ? `, ${plural(kept.tools.length, 'tool')}` : ''} of <a href=${to(`/requests/${encodeURIComponent(from)}`)}>${from}</a>, with all its settings; only the model is yours to choose. Untick it to change the last message.</p>
          ${isAsItWas && html`<details><summary>What is sent</summary><pre tabindex="0">${JSON.stringify(kept, null, 2)}</pre></details>`}
          <label class="tick"><input type="checkbox" checked=${isStreamed} onChange=${() => setStreamed(!isStreamed)} /> Streamed</label>
        </div>`
      }
      ${!isReplay && html`<div class="wide"><${Field} label="System" rows="2" ...${field('system')} /></div>
      <div class="wide"><${Field} label="Message" rows="4" required ...${field('prompt')} /></div>
      <details>
        <summary>Image, tools, settings</summary>
        <div class="fields">
          <div class="field">
            <label for="image">Image</label>
            <input id="image" type="file" accept="image/*" onChange=${(event) => readImage(event.currentTarget.files[0], setImage, setFault)} />
            <small>At most ${count(MAX_IMAGE_BYTES / 1000)} kB; it is sent as a data URL.</small>
          </div>
          <${Field} label="Temperature" ...${field('temperature')} inputmode="decimal" size="6" />
          <${Field} label="Most tokens" ...${field('max_tokens')} inputmode="numeric" size="8" />
          <div class="field"><label class="tick"><input type="checkbox" checked=${isStreamed} onChange=${() => setStreamed(!isStreamed)} /> Streamed</label></div>
        </div>
        <div class="wide"><${Field} label="Tools" rows="4" ...${field('tools')} hint="A JSON list, as in the API. Calls are shown; they are not run." /></div>
      </details>`}
      ${fault && html`<${Fault} error=${fault} />`}
      <div class="buttons">
        <button class="first" type="submit" disabled=${isRunning}>Send</button>
        ${isRunning && html`<button type="button" onClick=${() => aborter.current.abort()}>Stop</button>`}
      </div>
    </form>
    <div class="sides" aria-live="polite">${runs.map((each) => html`<${Side} of=${each} />`)}</div>
    <${Code} base=${models.data?.base_url} model=${sides[0] || 'account/model'} request=${request} />
  `;
}

function Side({ of }) {
  const { receipt, firstMs, totalMs, usage } = of;
  return html`<section class="card" aria-label=${of.model}>
    <h2>${of.model}</h2>
    ${of.error && html`<${Fault} error=${of.error} />`}
    ${of.reasoning && html`<details><summary>Reasoning</summary><div class="said quiet">${of.reasoning}</div></details>`}
    <div class="said">${of.text}${of.isRunning && !of.text ? '…' : ''}</div>
    ${of.tools?.length > 0 && html`<h3>Tool calls</h3>${of.tools.map((tool) => html`<pre tabindex="0">${tool.name}(${tool.arguments})</pre>`)}`}
    <${Facts} of=${[
      ['First content, as seen here', firstMs === undefined ? undefined : milliseconds(firstMs)],
      ['Total, as seen here', totalMs === undefined ? undefined : milliseconds(totalMs)],
      ['Added by the gateway', receipt && milliseconds(receipt.latency_ms.overhead)],
      ['Tokens in and out', usage ? `${count(usage.prompt_tokens)} / ${count(usage.completion_tokens)}` : receipt ? `${count(receipt.usage.input_tokens)} / ${count(receipt.usage.output_tokens)}` : undefined],
      ['Cost', receipt && money(receipt.cost.nano_usd)],
      ['Target', receipt?.route.target],
      ['Finish', of.finish],
      ['Receipt', of.id && html`<a href=${to(`/requests/${encodeURIComponent(of.id)}`)}>${of.id}</a>`],
    ]} />
  </section>`;
}

async function run(body, signal, change) {
  const startedAt = performance.now();
  const first = (run) => (run.firstMs === undefined ? { firstMs: performance.now() - startedAt } : {});
  let id;
  try {
    const answer = await ask('/admin/playground/chat/completions', { method: 'POST', body, signal });
    id = answer.headers.get('x-sluice-exchange-id') ?? undefined;
    change(() => ({ id }));
    if ((answer.headers.get('content-type') ?? '').startsWith('text/event-stream')) await readStream(answer, change, first);
    else readWhole(await answer.json(), change, first);
  } catch (error) {
    const told = error.name === 'AbortError' ? new Refusal(0, 'stopped', 'You stopped it.') : error;
    change(() => ({ error: told }));
  }
  change(() => ({ isRunning: false, totalMs: performance.now() - startedAt }));
  if (id !== undefined) await readReceipt(id, change);
}

async function readStream(answer, change, first) {
  let isWhole = false;
  for await (const { data } of eventsOf(answer.body)) {
    if (data === '[DONE]') {
      isWhole = true;
      continue;
    }
    const event = JSON.parse(data);
    if (event.error) throw new Refusal(0, event.error.code, event.error.message);
    change((run) => taken(run, event, first));
  }
  if (!isWhole) throw new Refusal(0, 'stream_cut', 'The answer broke off before its end.');
}

function taken(run, { choices = [], usage }, first) {
  const patch = {};
  if (usage) patch.usage = usage;
  const [choice] = choices;
  if (choice === undefined) return patch;
  const { content, reasoning_content: reasoning, tool_calls: calls = [] } = choice.delta ?? {};
  if (content) Object.assign(patch, first(run), { text: run.text + content });
  if (reasoning) Object.assign(patch, first(run), { reasoning: (run.reasoning ?? '') + reasoning });
  if (calls.length > 0) {
    const tools = [...(run.tools ?? [])];
    for (const { index, function: of = {} } of calls) {
      const before = tools[index] ?? { name: '', arguments: '' };
      tools[index] = { name: before.name + (of.name ?? ''), arguments: before.arguments + (of.arguments ?? '') };
    }
    Object.assign(patch, first(run), { tools });
  }
  if (choice.finish_reason) patch.finish = choice.finish_reason;
  return patch;
}

function readWhole({ choices = [], usage }, change, first) {
  const [{ message = {}, finish_reason: finish } = {}] = choices;
  const tools = (message.tool_calls ?? []).map(({ function: of }) => of);
  change((run) => ({ ...first(run), text: message.content ?? '', reasoning: message.reasoning_content, tools, usage, finish }));
}

/** It is in the ledger a moment after its end; where there is no ledger it never is. */
async function readReceipt(id, change) {
  for (const wait of RECEIPT_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const receipt = await call(`/admin/receipts/${encodeURIComponent(id)}`);
      change(() => ({ receipt }));
      return;
    } catch (error) {
      if (error.status !== 404) return;
    }
  }
}

/** Throws a Refusal that names the field that cannot be sent. */
function requestOf({ system, prompt, temperature, max_tokens, tools }, image, isStreamed) {
  const messages = [];
  if (system) messages.push({ role: 'system', content: system });
  messages.push({
    role: 'user',
    content: image ? [{ type: 'text', text: prompt }, { type: 'image_url', image_url: { url: image } }] : prompt,
  });
  const body = { messages };
  Object.assign(body, streaming(isStreamed));
  if (temperature) body.temperature = numberOf(temperature, 'Temperature');
  if (max_tokens) body.max_tokens = numberOf(max_tokens, 'Most tokens');
  if (tools.trim()) {
    try {
      body.tools = JSON.parse(tools);
    } catch {
      throw new Refusal(0, 'tools', 'Tools is no JSON list.');
    }
  }
  return body;
}

function streaming(isStreamed) {
  return isStreamed ? { stream: true, stream_options: { include_usage: true } } : {};
}

function numberOf(text, name) {
  const value = Number(text);
  if (Number.isNaN(value)) throw new Refusal(0, 'number', `${name} is no number.`);
  return value;
}

function readImage(file, setImage, setFault) {
  setFault(undefined);
  setImage(undefined);
  if (!file) return;
  if (file.size > MAX_IMAGE_BYTES) {
    setFault(new Refusal(0, 'image', `The image has ${count(file.size)} bytes; the playground sends ${count(MAX_IMAGE_BYTES)} at the most.`));
    return;
  }
  const reader = new FileReader();
  reader.onload = () => setImage(reader.result);
  reader.readAsDataURL(file);
}

/** Undefined: it was not kept, or cut, or is no JSON. */
function bodyOf(request) {
  try {
    const { model: _model, stream: _stream, stream_options: _options, ...body } = JSON.parse(request.text);
    return body;
  } catch {
    return undefined;
  }
}

/** What of a kept body has a field here: the last message of the user, and what the system was told. Undefined: it is no chat. */
function filledFrom({ messages, input, system, instructions, temperature, max_tokens, tools }) {
  const turns = messages ?? (typeof input === 'string' ? [{ role: 'user', content: input }] : input);
  if (!Array.isArray(turns)) return undefined;
  const textOf = (content) => (typeof content === 'string' ? content : Array.isArray(content) ? content.flatMap((part) => part.text ?? []).join('\n') : '');
  return {
    system: textOf(system ?? instructions ?? turns.find(({ role }) => role === 'system' || role === 'developer')?.content),
    prompt: textOf(turns.findLast(({ role }) => role === 'user')?.content),
    temperature: temperature === undefined ? '' : String(temperature),
    max_tokens: max_tokens === undefined ? '' : String(max_tokens),
    tools: messages === undefined || tools === undefined ? '' : JSON.stringify(tools),
  };
}

const FORMS = { curl: 'curl', node: 'Node', python: 'Python' };

function Code({ base = 'http://127.0.0.1:8787/v1', model, request }) {
  const [form, setForm] = useState('curl');
  let body;
  try {
    body = { model, ...request() };
  } catch {
    // The fields say so when it is sent.
    return undefined;
  }
  return html`<details>
    <summary>This call as code</summary>
    <${Field} label="Language" value=${form} options=${Object.entries(FORMS)} onInput=${setForm} />
    <${Copyable} text=${written(form, base, body)} />
  </details>`;
}

function written(form, base, body) {
  const json = JSON.stringify(body, null, 2);
  if (form === 'curl') {
    return `curl -sN ${base}/chat/completions \\\n  -H "Authorization: Bearer $SLUICE_API_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${json.replaceAll("'", `'\\''`)}'`;
  }
  if (form === 'node') {
    const use = body.stream ? "for await (const chunk of answer) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');" : 'console.log(answer.choices[0].message.content);';
    return `import OpenAI from 'openai';\n\nconst client = new OpenAI({ baseURL: '${base}', apiKey: process.env.SLUICE_API_KEY });\nconst answer = await client.chat.completions.create(${json});\n${use}`;
  }
  const use = body.stream ? 'for chunk in answer:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="", flush=True)' : 'print(answer.choices[0].message.content)';
  return `import json\nimport os\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key=os.environ["SLUICE_API_KEY"])\nanswer = client.chat.completions.create(**json.loads(r'''${json.replaceAll("'''", "'\\u0027\\u0027")}'''))\n${use}`;
}
