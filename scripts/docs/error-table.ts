import { ERRORS } from '../../src/core/errors.ts';

/** Every error code with its status, who is to blame, its message and its remedy, as a Markdown table. */
export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, blame, message, remedy }]) => `| \`${code}\` | ${status} | ${blame} | ${message} | ${remedy} |`,
  );
  return ['| code | status | blame | message | what to do |', '|---|---|---|---|---|', ...rows].join('\n');
}
