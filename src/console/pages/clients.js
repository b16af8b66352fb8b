// How clients are set up, with the address of this gateway and a model that it has.
import { html, useAnswer } from './core.js';
import { useState } from './lib/hooks.js';
import { Answered, Copyable, Field } from './parts.js';

/** As docs/clients.md has them. */
const SNIPPETS = {
  curl: ({ base, model }) => `curl -sN ${base}/chat/completions \\
  -H "Authorization: Bearer $SLUICE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "stream": true, "messages": [{"role": "user", "content": "What is a sluice?"}]}'`,
  'OpenAI SDK for Node': ({ base, model }) => `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${base}', apiKey: process.env.SLUICE_API_KEY });
const stream = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'What is a sluice?' }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');`,
  'OpenAI SDK for Python': ({ base, model }) => `import os
from openai import OpenAI

client = OpenAI(base_url="${base}", api_key=os.environ["SLUICE_API_KEY"])
stream = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "What is a sluice?"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()`,
  Responses: ({ base, model }) => `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${base}', apiKey: process.env.SLUICE_API_KEY });
const stream = client.responses.stream({ model: '${model}', input: 'What is a sluice?' });
stream.on('response.output_text.delta', ({ delta }) => process.stdout.write(delta));
console.log((await stream.finalResponse()).usage);`,
  Codex: ({ base, model }) => `# ~/.codex/config.toml
model = "${model}"
model_provider = "sluice"
web_search = "disabled"

[model_providers.sluice]
name = "Sluice"
base_url = "${base}"
env_key = "SLUICE_API_KEY"
wire_api = "responses"
supports_websockets = true`,
  'Claude Code': ({ root, model }) => `export ANTHROPIC_BASE_URL=${root}
export ANTHROPIC_AUTH_TOKEN=$SLUICE_API_KEY
export ANTHROPIC_SMALL_FAST_MODEL=${model}
claude --model ${model}`,
  'Anthropic SDK for Node': ({ root, model }) => `import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: '${root}', apiKey: process.env.SLUICE_API_KEY });
const stream = client.messages.stream({
  model: '${model}',
  max_tokens: 200,
  messages: [{ role: 'user', content: 'What is a sluice?' }],
});
stream.on('text', (text) => process.stdout.write(text));
await stream.finalMessage();`,
  'AI SDK': ({ base, model }) => `import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';

const sluice = createOpenAICompatible({
  name: 'sluice',
  baseURL: '${base}',
  apiKey: process.env.SLUICE_API_KEY,
  includeUsage: true,
});
const { textStream } = streamText({ model: sluice('${model}'), prompt: 'What is a sluice?' });
for await (const text of textStream) process.stdout.write(text);`,
  'LangChain for Python': ({ base, model }) => `import os
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="${model}",
    base_url="${base}",
    api_key=os.environ["SLUICE_API_KEY"],
)
print(model.invoke("What is a sluice?").content)`,
  'LangChain for JavaScript': ({ base, model }) => `import { ChatOpenAI } from '@langchain/openai';

const model = new ChatOpenAI({
  model: '${model}',
  apiKey: process.env.SLUICE_API_KEY,
  configuration: { baseURL: '${base}' },
});
console.log((await model.invoke('What is a sluice?')).content);`,
  'MCP inspector': ({ root }) => `npx @modelcontextprotocol/inspector --cli ${root}/mcp/v1/NAME/mcp --transport http \\
  --header "Authorization: Bearer $SLUICE_API_KEY" --method tools/list`,
};

export function Clients() {
  const models = useAnswer('/admin/models');
  return html`<${Answered} of=${models} what="models">${(data) => html`<${Snippets} of=${data} />`}</${Answered}>`;
}

function Snippets({ of }) {
  const known = [...of.virtual_models.map(({ id }) => id), ...of.models.filter(({ model_types: types }) => types.length === 0 || types.includes('chat')).map(({ id }) => id)];
  const [model, setModel] = useState(known[0] ?? 'account/model');
  const [base, setBase] = useState(of.base_url);
  const given = { base, root: base.replace(/\/v1\/?$/, ''), model };
  return html`
    <p>A client needs a base URL and a key. A key is made under <a href="#/keys">Keys</a>; here it is taken from the variable <code>SLUICE_API_KEY</code>.</p>
    <div class="fields">
      <${Field} label="Base URL" value=${base} onInput=${setBase} size="36" hint="As this machine reaches it. Put the name in that your clients use." />
      <${Field} label="Model" value=${model} onInput=${setModel} list=${known} size="36" />
    </div>
    ${Object.entries(SNIPPETS).map(([name, write]) => html`<h2>${name}</h2><${Copyable} text=${write(given)} label=${`Copy for ${name}`} />`)}
  `;
}
