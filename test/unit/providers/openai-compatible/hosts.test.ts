import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { modelType } from '../../../../src/config/account-schema.ts';
import { KINDS_TO_COME } from '../../../../src/config/kinds/kinds-to-come.ts';
import { GatewayError } from '../../../../src/core/errors.ts';
import { MODEL_TYPES_OF } from '../../../../src/inference/operation.ts';
import { allPlugs, wellKnown } from '../../../../src/plugs.ts';
import { ASKS_FOR_NOTHING, chatRules, HARMLESS } from '../../../../src/providers/openai-compatible/chat-rules.ts';
import { OWN_FORMS } from '../../../../src/providers/openai-compatible/host-forms.ts';
import {
  addressParts,
  type HostRow,
  hostRow,
  modelFamily,
} from '../../../../src/providers/openai-compatible/host-row.ts';
import { HOSTS } from '../../../../src/providers/openai-compatible/hosts.ts';
import { MODEL_FAMILIES } from '../../../../src/providers/openai-compatible/model-families.ts';
import { toError } from '../../../../src/providers/openai-compatible/to-error.ts';
import type { Mount, ProviderAccount, Target } from '../../../../src/providers/provider.ts';
import { loadCatalogue } from '../../../../src/usage/price-catalogue.ts';

const PLUGS = allPlugs();

/** The keys of kinds that ask for others. */
const OWN: Readonly<Record<string, object>> = {
  databricks: { base_url: 'https://the-workspace' },
  'snowflake-cortex': {
    account_identifier: 'the_account_identifier',
    auth_data: { type: 'pat-token', pat_token: 'sk-1' },
  },
};

function manifestOf(row: HostRow, more: object = {}): Record<string, unknown> {
  const parts = Object.fromEntries(addressParts(row).map((part) => [part, `the-${part}`]));
  return {
    name: 'a',
    auth_data: { type: 'api-key', api_key: 'sk-1' },
    ...(row.kind === undefined
      ? { type: 'provider-account/openai-compatible', host: row.id, host_parts: parts }
      : { type: `provider-account/${row.kind}`, ...OWN[row.id] }),
    ...more,
  };
}

function open(manifest: Record<string, unknown>): ProviderAccount {
  const plug = PLUGS.find(({ type }) => type === manifest['type']);
  assert.ok(plug, `${manifest['type']}`);
  return plug.open(structuredClone(plug.schema.parse(manifest)), new Map());
}

function targetOf(row: HostRow, model = 'm', more: object = {}): Target {
  const target = open(manifestOf(row, more)).target(model);
  assert.ok(target);
  return target;
}

function headersOf(mount: Mount): string[] {
  const signed = mount.credential.sign({ method: 'POST', origin: '', path: '', headers: [], body: undefined });
  assert.ok(!(signed instanceof GatewayError));
  return [...mount.headers, ...signed];
}

/** One test a column, over all rows. */
function column(title: string, check: (row: HostRow) => void): void {
  it(title, () => {
    for (const row of HOSTS) check(row);
  });
}

/** A mount of OpenAI's forms: that of its chats, where it has any. */
function ownMount(row: HostRow, more: object = {}): Mount {
  const { mounts } = targetOf(row, 'm', more);
  const [mount] = mounts.get('chat') ?? [...mounts.values()].flat();
  assert.ok(mount, row.id);
  return mount;
}

describe('the table of hosts', () => {
  column('every row has the form of the schema, and no column that the schema does not know', (row) => {
    assert.deepEqual(hostRow.safeParse(row).error?.issues ?? [], [], row.id);
  });

  it('the table has about sixty hosts, each once by its id and its title', () => {
    assert.ok(HOSTS.length >= 60, `${HOSTS.length}`);
    assert.equal(new Set(HOSTS.map(({ id }) => id)).size, HOSTS.length);
    assert.equal(new Set(HOSTS.map(({ title }) => title)).size, HOSTS.length);
  });

  it('every kind of the reference product that is a row loads under its own name', () => {
    const kinds = HOSTS.flatMap(({ kind }) => kind ?? []);
    for (const kind of kinds) assert.ok(!KINDS_TO_COME.has(`provider-account/${kind}`), kind);
    const expected =
      'ai21 baseten cerebras databricks deepinfra groq mistral-ai openrouter perplexity-ai sambanova snowflake-cortex together-ai wafer xai';
    assert.deepEqual(kinds.sort(), expected.split(' '));
  });

  column('mounts: chats go to its own address, with the parts of it that an account names', (row) => {
    const [chat] = targetOf(row).mounts.get('chat') ?? [];
    assert.equal(chat !== undefined, row.serves.includes('chat'), row.id);
    if (chat === undefined) return;
    const url = chat.connection.origin + chat.path(targetOf(row), { stream: true });
    assert.equal(
      url,
      `${row.mounts.chat.replace(/\{(\w+)\}/, (_, part) => `the-${part.replace(/_(?=identifier)/, '-')}`)}/chat/completions`,
    );
    assert.equal(chat.wire.name, 'openai-chat');
  });

  column(
    'mounts: Anthropic’s form stands beside it where its host serves it, with the version that it asks for',
    (row) => {
      const [messages] = targetOf(row).mounts.get('messages') ?? [];
      assert.equal(messages !== undefined, row.mounts.messages !== undefined, row.id);
      if (messages === undefined) return;
      assert.equal(
        messages.connection.origin + messages.path(targetOf(row), { stream: true }),
        `${row.mounts.messages}/v1/messages`,
      );
      assert.deepEqual(messages.headers.slice(0, 2), ['anthropic-version', '2023-06-01']);
    },
  );

  column('credential: the key stands in the header that its host reads, at each mount in its own style', (row) => {
    const { credential = { header: 'authorization', scheme: 'Bearer' }, messagesCredential = credential } = row;
    const written = ({ header, scheme }: NonNullable<HostRow['credential']>) => [
      header,
      scheme ? `${scheme} sk-1` : 'sk-1',
    ];
    const { mounts } = targetOf(row);
    assert.deepEqual(headersOf(ownMount(row)).slice(-2), written(credential), row.id);
    const [messages] = mounts.get('messages') ?? [];
    if (messages) assert.deepEqual(headersOf(messages).slice(-2), written(messagesCredential), row.id);
  });

  column('base_url: stands in the place of its address, and then only its OpenAI form is there', (row) => {
    if (row.id === 'snowflake-cortex') return;
    const { mounts } = targetOf(row, 'm', { base_url: 'http://127.0.0.1:1/proxy' });
    for (const { wire, connection } of [...mounts.values()].flat()) {
      assert.notEqual(wire.name, 'anthropic-messages');
      assert.equal(connection.origin, 'http://127.0.0.1:1', row.id);
    }
  });

  column('serves and forms: what it serves is mounted in the form of its row, and nothing else is', (row) => {
    if (row.ownPlug) return;
    for (const form of Object.values(row.forms ?? {})) assert.ok(OWN_FORMS[form], `${row.id}: ${form}`);
    for (const type of Object.keys(row.forms ?? {}))
      assert.ok(
        row.serves.some((each) => each === type),
        row.id,
      );
    const { mounts } = targetOf(row);
    for (const [operation, types] of Object.entries(MODEL_TYPES_OF)) {
      if (
        !['embedding', 'moderation', 'rerank', 'image', 'speech', 'transcription', 'audio-translation'].includes(
          operation,
        )
      )
        continue;
      const [type] = types;
      const isServed = row.serves.some((each) => each === type) && row.forms?.[type!] !== 'unknown';
      assert.equal(
        [...mounts.keys()].some((each) => each === operation),
        isServed,
        `${row.id}: ${operation}`,
      );
    }
  });

  column('headers and switches: what is fixed goes with every request', (row) => {
    for (const [key, { headers }] of Object.entries(row.switches ?? {})) {
      for (const { headers: sent } of [...targetOf(row, 'm', { [key]: true }).mounts.values()].flat()) {
        for (const pair of Object.entries(headers)) assert.ok(sent.join().includes(pair.join()), row.id);
      }
      assert.deepEqual(ownMount(row, { [key]: false }).headers, []);
    }
    for (const pair of Object.entries(row.headers ?? {})) {
      assert.ok(ownMount(row).headers.join().includes(pair.join()), row.id);
    }
  });

  column('forwards: headers of the client that its host reads go on', (row) => {
    const { forwards } = ownMount(row);
    for (const name of row.forwards ?? []) assert.ok(forwards.includes(name), row.id);
  });

  column(
    'refused: for each parameter it is said once whether it is harmless, or which value asks for nothing',
    (row) => {
      const refused = [row, ...MODEL_FAMILIES].flatMap(({ refused = [] }) => refused);
      for (const key of refused)
        assert.ok(HARMLESS.has(key) !== (ASKS_FOR_NOTHING[key] !== undefined), `${row.id}: ${key}`);
    },
  );

  column('renamed: no name is refused, and none is renamed to itself', (row) => {
    for (const [from, to] of Object.entries(row.renamed ?? {})) {
      assert.notEqual(from, to, row.id);
      assert.ok(!row.refused?.includes(from) && !row.refused?.includes(to), row.id);
    }
  });

  column('effort: words are OpenAI’s, and what they become does not become something else', (row) => {
    for (const { effort = {} } of [row, ...MODEL_FAMILIES]) {
      for (const [from, to] of Object.entries(effort)) {
        assert.match(from, /^(none|minimal|low|medium|high|xhigh|max|default)$/, row.id);
        assert.ok(to === null || !(to in effort), `${row.id}: ${from} → ${to}`);
      }
    }
  });

  column(
    'reasoning: what comes in one key goes back in it, is refused, or belongs to the families of its models',
    (row) => {
      const { reasoning, reasoningBack } = row;
      if (reasoningBack === undefined || reasoningBack === 'never') return;
      assert.equal(reasoning, reasoningBack, row.id);
    },
  );

  column('forcedTools: the tool choice of a client goes on as it is, so that the host can refuse it', (row) => {
    if (row.forcedTools === undefined) return;
    assert.ok(row.reasoning !== undefined && !row.refused?.includes('tool_choice'), row.id);
  });

  column('usage: it is asked for where it does not come by itself', (row) => {
    assert.equal(targetOf(row).abilities.usageInStream, row.usage === 'asked', row.id);
  });

  column('faults: a word means its status, whatever status stands beside it', (row) => {
    for (const [code, status] of Object.entries(row.faults ?? {})) {
      const error = toError(429, Buffer.from(JSON.stringify({ error: { code, message: 'No.' } })), targetOf(row));
      const outcome = { 401: 'upstream_credential', 402: 'upstream_credential', 429: 'upstream_rate_limited' }[status];
      assert.equal(
        error.code,
        outcome ?? (status < 500 ? 'upstream_rejected' : 'upstream_overloaded'),
        `${row.id} ${code}`,
      );
    }
  });

  column('developerRole: a host that is not known to take it gets `system`', (row) => {
    assert.equal(targetOf(row).abilities.developerRole, row.developerRole === true, row.id);
  });

  column('serves: model types of manifests, each once', ({ serves, id }) => {
    assert.equal(new Set(serves).size, serves.length, id);
    for (const each of serves) assert.ok(modelType.safeParse(each).success, id);
  });

  column('families: those that exist', ({ families = [], id }) => {
    for (const name of families)
      assert.ok(
        MODEL_FAMILIES.some((family) => family.name === name),
        `${id}: ${name}`,
      );
  });

  column('variable: makes an account of the row’s name, whose models are its own', (row) => {
    if (row.variable === undefined) return;
    const made = wellKnown().filter(({ variable }) => variable === row.variable);
    assert.equal(made.length, 1, row.variable);
    const account = open(made[0]!.manifest('sk-env') as Record<string, unknown>);
    assert.equal(account.name, row.id);
    assert.equal(account.provider, row.kind ?? row.id);
    assert.ok(
      headersOf([...account.target('m')!.mounts.values()].flat()[0]!)
        .join()
        .includes('sk-env'),
      row.id,
    );
    assert.equal(account.exampleModel, row.example);
  });

  column('catalogueId: the price library has it', ({ catalogueId, id }) => {
    if (catalogueId === undefined) return;
    assert.equal(loadCatalogue().findProvider({ providerId: catalogueId })?.id, catalogueId, id);
  });

  column('modelsPath: where the models of an account of that kind are asked for', (row) => {
    if (row.modelsPath === undefined) return;
    const plug = PLUGS.find(({ type }) => type === `provider-account/${row.kind}`);
    assert.equal(plug?.probe?.path, row.modelsPath);
  });

  column('known: a row from lists of others changes no request but by names that are harmless', (row) => {
    if (row.known !== 'listed') return;
    assert.equal(row.refusedInMessages, undefined, row.id);
    for (const key of row.refused ?? []) assert.ok(HARMLESS.has(key), row.id);
  });
});

test('every family of models has its schema and its own name, and takes some model that its name suggests', () => {
  for (const family of MODEL_FAMILIES) assert.deepEqual(modelFamily.safeParse(family).error?.issues ?? [], []);
  const familiesOf = (model: string) =>
    MODEL_FAMILIES.filter(({ models }) => models.test(model)).map(({ name }) => name);
  const expected: Readonly<Record<string, readonly string[]>> = {
    'gpt-5-mini': ['openai-reasoning'],
    'openai/o3': ['openai-reasoning'],
    'gpt-4o': [],
    'gpt-5-chat-latest': [],
    'openai/gpt-oss-120b': ['gpt-oss'],
    'deepseek-v4-pro': ['deepseek'],
    'accounts/fireworks/models/kimi-k3': ['kimi', 'kimi-sampling', 'kimi-effort'],
    'kimi-k2-0905-preview': [],
    'kimi-k2.6': ['kimi', 'kimi-sampling'],
    'glm-4.6': ['glm'],
    'accounts/fireworks/models/glm-5p3': ['glm', 'glm-effort'],
    'qwen/qwen3-32b': ['qwen-on-groq'],
    'grok-4-fast-reasoning': ['grok-reasoning', 'grok-without-effort'],
    'grok-4-fast-non-reasoning': ['grok-without-effort'],
    'grok-4.3': ['grok-reasoning'],
    'grok-3-mini': ['grok-reasoning'],
    'grok-3': ['grok-without-effort'],
  };
  for (const [model, families] of Object.entries(expected)) {
    assert.deepEqual(familiesOf(model), families, model);
  }
});

test('a model at a host without quirks has no rules, so its requests cost nothing more', () => {
  for (const id of ['sambanova', 'openrouter', 'baseten', 'xai']) {
    const row = HOSTS.find((each) => each.id === id);
    assert.ok(row);
    assert.equal(targetOf(row, 'some-model').rules, undefined, id);
  }
});

test('rules are compiled once for a host and the families of a model, not for each model', () => {
  const groq = HOSTS.find(({ id }) => id === 'groq');
  assert.ok(groq);
  assert.equal(chatRules(groq, 'llama-3.3-70b-versatile'), chatRules(groq, 'another'));
  assert.notEqual(chatRules(groq, 'openai/gpt-oss-20b'), chatRules(groq, 'another'));
});
