/** Prints the table of errors for the README, as Markdown: a test holds the README against it. */
import { ERRORS } from '../src/core/errors.ts';

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, blame, message, remedy }]) => `| \`${code}\` | ${status} | ${blame} | ${message} | ${remedy} |`,
  );
  return ['| code | status | blame | says | what to do |', '|---|---|---|---|---|', ...rows].join('\n');
}

if (import.meta.main) console.log(errorTable());
