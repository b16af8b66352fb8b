import { allPlugs, dialects, wiresOf } from '../../src/plugs.ts';
import { formOf } from '../../src/relay/choose-mount.ts';

const DIALECTS = dialects();
const WIRES = wiresOf(allPlugs());

/** Forms of a chat, by the paths that clients know. */
const ROWS = ['openai-chat', 'openai-completions', 'anthropic-messages', 'openai-responses', 'openai-compaction'];
const COLUMNS = [
  ['openai-chat', 'chat of OpenAI’s form'],
  ['openai-responses', 'Responses'],
  ['anthropic-messages', 'Messages'],
  ['gemini-generate-content', 'Gemini'],
  ['bedrock-converse', 'Converse'],
  ['cohere-chat', 'Cohere'],
] as const;

/** Dialect × wire: what becomes of a request where its target speaks that wire and no better one. */
export function pairTable(): string {
  const rows = ROWS.map((name) => {
    const dialect = DIALECTS.find((each) => each.name === name);
    if (dialect === undefined) throw new Error(`no dialect is called ${name}`);
    const paths = dialect.routes.map(({ pattern }) => `\`${pattern}\``).join(' ');
    const cells = COLUMNS.map(([column]) => {
      const wire = WIRES.find((each) => each.name === column);
      if (wire === undefined) throw new Error(`no wire is called ${column}`);
      if (formOf(wire) === name) return 'passes';
      const isTranslated = dialect.translation?.to.includes(wire.operation) && wire.translation !== undefined;
      return isTranslated ? 'translated' : '–';
    });
    return `| ${[paths, ...cells].join(' | ')} |`;
  });
  const titles = COLUMNS.map(([, title]) => title);
  return [`| asked by a client | ${titles.join(' | ')} |`, `|---|${titles.map(() => '---|').join('')}`, ...rows].join(
    '\n',
  );
}
