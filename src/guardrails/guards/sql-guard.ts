import { createRequire } from 'node:module';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { type Guard, PASSED, type Verdict } from '../guard.ts';
import { failed } from './remote-guard.ts';

type Parser = typeof import('pgsql-ast-parser');
type Statement = ReturnType<Parser['parse']>[number];

const load = createRequire(import.meta.url);
/** The parser's time grows faster than its text: of a longer statement the words decide. */
const MAX_PARSED = 4_096;
const MAX_STATEMENTS = 200;

/** From a word that begins a statement to its end: a semicolon, an empty line, the end of a block of code. */
const STATEMENT =
  /\b(?:select|insert|update|delete|drop|truncate|alter|grant|revoke|with|merge|create|replace)\b[^;`]*?(?=;|\n\s*\n|`|$)/gi;

const OBJECTS =
  '(?:temporary +)?(?:table|database|schema|view|materialized view|index|column|user|role|function|procedure|trigger|sequence|type|extension)';

/** What a statement is, where no parser reads it: words that plain English does not have in this order. */
const WORDS: Readonly<Record<Offence, RegExp>> = {
  block_drop: new RegExp(`^drop\\s+${OBJECTS}\\b`, 'i'),
  block_truncate: /^truncate\s+(?:table\s+)?[\w."[\]]+\s*$/i,
  block_alter: new RegExp(`^alter\\s+${OBJECTS}\\b`, 'i'),
  block_grant: /^grant\s+[\w\s,()]+?\s+(?:on\s+[\s\S]+?\s+)?to\s/i,
  block_revoke: /^revoke\s+[\w\s,()]+?\s+(?:on\s+[\s\S]+?\s+)?from\s/i,
  block_delete_without_where: /^delete\s+from\s+[\w."[\]]+(?!(?:[\s\S]*\bwhere\b))/i,
  block_update_without_where: /^update\s+[\w."[\]]+\s+(?:as\s+\w+\s+)?set\s(?!(?:[\s\S]*\bwhere\b))/i,
};

const OFFENCES = [
  'block_drop',
  'block_truncate',
  'block_alter',
  'block_grant',
  'block_revoke',
  'block_delete_without_where',
  'block_update_without_where',
] as const;
type Offence = (typeof OFFENCES)[number];

const TOLD: Readonly<Record<Offence, string>> = {
  block_drop: 'DROP',
  block_truncate: 'TRUNCATE',
  block_alter: 'ALTER',
  block_grant: 'GRANT',
  block_revoke: 'REVOKE',
  block_delete_without_where: 'DELETE without WHERE',
  block_update_without_where: 'UPDATE without WHERE',
};

/** `sql-sanitizer`: statements in texts and arguments, by a parser of PostgreSQL where it reads them, else by their words. */
export function sqlGuard(config: GuardConfig): Guard {
  const flags = config.config as Partial<Record<Offence | 'strip_comments' | 'require_parameterization', boolean>>;
  const wanted = OFFENCES.filter((each) => flags[each]);
  const parser = load('pgsql-ast-parser') as Parser;
  const checkTexts = (texts: readonly { readonly text: string }[]): Verdict => {
    const found = new Set<string>();
    for (const { text } of texts) {
      for (const statement of statementsIn(text)) {
        for (const offence of wanted) if (commits(statement, offence, parser)) found.add(TOLD[offence]);
        if (flags.require_parameterization && hasValues(statement, parser)) found.add('a value in a statement');
      }
    }
    if (found.size > 0) return failed(`Found: ${[...found].join(', ')}.`);
    if (!flags.strip_comments || config.operation !== 'mutate') return PASSED;
    const changed = texts.map(({ text }) => withoutComments(text));
    return changed.some((each, at) => each !== texts[at]!.text) ? { result: 'mutated', texts: changed } : PASSED;
  };
  return { config, isLocal: true, checkTexts, check: ({ texts }) => checkTexts(texts) };
}

function statementsIn(text: string): readonly string[] {
  const plain = withoutComments(text);
  return [...plain.matchAll(STATEMENT)].slice(0, MAX_STATEMENTS).map(([statement]) => statement.trim());
}

/** A comment may stand between the words of a statement, so that whoever looks for both misses it. */
function withoutComments(text: string): string {
  if (!/\b(?:select|insert|update|delete|drop|truncate|alter|grant|revoke|with|merge|create)\b/i.test(text))
    return text;
  return text.replace(/('(?:[^']|'')*')|\/\*[\s\S]*?\*\/|--[^\n]*/g, (_, quoted: string | undefined) => quoted ?? ' ');
}

function parsed(statement: string, parser: Parser): readonly Statement[] | undefined {
  if (statement.length > MAX_PARSED) return undefined;
  try {
    return parser.parse(statement);
  } catch {
    // Prose, or another database's: its words decide.
    return undefined;
  }
}

function commits(statement: string, offence: Offence, parser: Parser): boolean {
  if (WORDS[offence].test(statement)) return true;
  if (offence !== 'block_delete_without_where' && offence !== 'block_update_without_where') return false;
  const tree = parsed(statement, parser);
  if (tree === undefined) return false;
  let found = false;
  const kind = offence === 'block_delete_without_where' ? 'delete' : 'update';
  const visitor = parser.astVisitor((inner) => ({
    delete: (each) => {
      if (kind === 'delete' && each.where === undefined) found = true;
      inner.super().delete(each);
    },
    update: (each) => {
      if (kind === 'update' && each.where === undefined) found = true;
      inner.super().update(each);
    },
  }));
  for (const each of tree) visitor.statement(each);
  return found;
}

/** Texts and numbers that a statement compares with or writes, in the place of parameters. */
function hasValues(statement: string, parser: Parser): boolean {
  const tree = parsed(statement, parser);
  if (tree === undefined)
    return /^(?:select|insert|update|delete)\b[\s\S]*(?:=|<|>|\bvalues\s*\(|\blike\b)\s*(?:'[^']*'|\d)/i.test(
      statement,
    );
  let found = false;
  const visitor = parser.astVisitor(() => ({
    constant: ({ type }) => {
      if (type === 'string' || type === 'integer' || type === 'numeric') found = true;
    },
  }));
  for (const each of tree) visitor.statement(each);
  return found;
}
