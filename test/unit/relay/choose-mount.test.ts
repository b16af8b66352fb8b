import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allPlugs, wiresOf } from '../../../src/plugs.ts';
import { anthropicWire } from '../../../src/providers/anthropic-messages/wire.ts';
import { NO_CREDENTIAL } from '../../../src/providers/base/credential.ts';
import { mountAt, mountsOf } from '../../../src/providers/base/mount.ts';
import { openAiChatWire } from '../../../src/providers/openai-compatible/wire.ts';
import type { Wire } from '../../../src/providers/provider.ts';
import { mountFor, plainFormOf, type Spoken } from '../../../src/relay/choose-mount.ts';
import { exampleMounts } from '../../support/targets.ts';

const chat: Spoken = { name: 'openai-chat', operation: 'chat', translation: { to: ['chat', 'messages'] } };
const messages: Spoken = {
  name: 'anthropic-messages',
  operation: 'messages',
  translation: { to: ['messages', 'chat'] },
};
const responses: Spoken = {
  name: 'openai-responses',
  operation: 'responses',
  translation: { to: ['chat', 'messages'] },
};

const translatedChat: Wire = { ...openAiChatWire, name: 'another-chat', translation: anthropicWire.translation! };

function spokenFor(dialect: Spoken, ...wires: readonly Wire[]): string | undefined {
  return mountFor({ mounts: exampleMounts(...wires) }, dialect)?.wire.name;
}

test('the wire that a dialect speaks itself wins over every translation, whatever their order', () => {
  assert.equal(spokenFor(chat, translatedChat, anthropicWire, openAiChatWire), 'openai-chat');
  assert.equal(spokenFor(messages, translatedChat, openAiChatWire, anthropicWire), 'anthropic-messages');
});

test('the first wire with a translation is chosen where none is the dialect’s own, in the dialect’s order of operations', () => {
  assert.equal(spokenFor(chat, anthropicWire), 'anthropic-messages');
  assert.equal(spokenFor(chat, anthropicWire, translatedChat), 'another-chat');
  assert.equal(spokenFor(messages, translatedChat), 'another-chat');
  assert.equal(spokenFor(responses, anthropicWire, translatedChat), 'another-chat');
});

test('a target that speaks nothing a dialect can be put into has no mount for it', () => {
  const { translation: _none, ...untranslated } = openAiChatWire;
  assert.equal(spokenFor(messages, untranslated), undefined, 'this wire has no translation');
  assert.equal(
    spokenFor({ ...chat, name: 'x', operation: 'embedding', translation: { to: [] } }, anthropicWire),
    undefined,
  );
  assert.equal(spokenFor(chat), undefined);
});

test('a host serves two forms side by side, each at its own path with its own header for the key', () => {
  const mounts = mountsOf([
    mountAt({ wire: openAiChatWire, url: 'https://host.example/v1', credential: NO_CREDENTIAL }),
    mountAt({
      wire: anthropicWire,
      url: 'https://host.example/anthropic',
      credential: NO_CREDENTIAL,
      headers: ['a', 'b'],
    }),
  ]);
  const target = { mounts };
  const path = (dialect: Spoken) => mountFor(target, dialect)?.path({} as never, { stream: false });
  assert.equal(path(chat), '/v1/chat/completions');
  assert.equal(path(messages), '/anthropic/v1/messages');
  assert.deepEqual(mountFor(target, messages)?.headers, ['a', 'b']);
});

test('the choice is made once for all models of an account', () => {
  const mounts = exampleMounts(anthropicWire);
  assert.equal(mountFor({ mounts }, chat), mountFor({ mounts }, { ...chat }));
});

test('a wire that differs in its translation alone is of the form that it passes, and one that wraps is not', () => {
  const wires = wiresOf(allPlugs());
  const form = (name: string) => plainFormOf(wires.find((wire) => wire.name === name)!);
  assert.equal(form('openai-chat-or-response'), 'openai-chat');
  assert.equal(form('anthropic-messages-hosted'), 'anthropic-messages');
  for (const { name, envelope } of wires) if (envelope?.requests || envelope?.unpack) assert.equal(form(name), name);
});
