import { ASKS_FOR_NOTHING, HARMLESS } from '../../src/providers/openai-compatible/chat-rules.ts';
import type { HostRow, RequestQuirks } from '../../src/providers/openai-compatible/host-row.ts';
import { HOSTS } from '../../src/providers/openai-compatible/hosts.ts';
import { MODEL_FAMILIES } from '../../src/providers/openai-compatible/model-families.ts';

const KNOWN: Readonly<Record<HostRow['known'], string>> = {
  recorded: 'its traffic',
  documented: 'its docs',
  listed: 'lists of others',
};

/** One line a host. */
export function hostTable(): string {
  const head =
    '| manifest | host | address | also | what is changed in requests | variable | known from |\n|---|---|---|---|---|---|---|';
  return [head, ...HOSTS.map(hostLine)].join('\n');
}

function hostLine(row: HostRow): string {
  const manifest = row.kind === undefined ? `\`host: ${row.id}\`` : `\`provider-account/${row.kind}\``;
  const also = [row.mounts.messages && 'Messages', ...row.serves.filter((type) => type !== 'chat')].filter(Boolean);
  const { variable, known, title, mounts } = row;
  const cells = [
    manifest,
    title,
    `\`${mounts.chat}\``,
    also.join(', '),
    [changes(row, row.families), row.forcedTools && 'it refuses a forced tool while it thinks']
      .filter(Boolean)
      .join('; '),
    variable === undefined ? '' : `\`${variable}\``,
    KNOWN[known],
  ];
  return `| ${cells.join(' | ')} |`;
}

/** One line a family of models. */
export function familyTable(): string {
  const head = '| family | what is changed in requests | at |\n|---|---|---|';
  const lines = MODEL_FAMILIES.map((family) => {
    const hosts = HOSTS.filter(({ families }) => families?.includes(family.name)).map(({ id }) => id);
    return `| \`${family.name}\` | ${family.about} | ${[...(family.name === 'openai-reasoning' ? ['openai'] : []), ...hosts].join(', ')} |`;
  });
  return [head, ...lines].join('\n');
}

/** What becomes of a parameter that a host refuses: said once for all hosts. */
export function refusedParameters(): string {
  const harmless = [...HARMLESS].map(code).join(', ');
  const nothing = Object.entries(ASKS_FOR_NOTHING).map(
    ([key, values]) => `${code(key)} (${values.map(code).join(', ')})`,
  );
  return [
    `- **Left out, harmless:** ${harmless}.`,
    `- **Left out where it asks for nothing, else 400 that names it:** ${nothing.join(', ')}.`,
  ].join('\n');
}

function changes(row: RequestQuirks, families: readonly string[] = []): string {
  const { refused = [], renamed = {}, effort, refusedInMessages, reasoningBack } = row;
  const harmless = refused.filter((key) => HARMLESS.has(key));
  const others = refused.filter((key) => !HARMLESS.has(key));
  const parts = [
    ...Object.entries(renamed).map(([from, to]) => `${code(from)} → ${code(to)}`),
    harmless.length > 0 && `without ${harmless.map(code).join(', ')}`,
    others.length > 0 && `refuses ${others.map(code).join(', ')}`,
    effort && `effort ${words(effort)}`,
    refusedInMessages && 'messages without keys of other vendors',
    reasoningBack === 'never' && 'earlier reasoning does not go back',
    families.length > 0 && `by family: ${families.join(', ')}`,
  ];
  return parts.filter((part) => part !== false && part !== undefined).join('; ');
}

function words(map: Readonly<Record<string, string | null>>): string {
  return Object.entries(map)
    .map(([from, to]) => `${code(from)} → ${to === null ? 'left out' : code(to)}`)
    .join(', ');
}

function code(text: string): string {
  return `\`${text}\``;
}
