/** `npm run check`: format and lint, types, imports. All three run, so one report shows everything. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const steps: [name: string, command: string, ...rest: string[]][] = [
  ['format and lint', process.execPath, 'scripts/format-and-lint.ts'],
  ['types', 'node_modules/.bin/tsc', '--noEmit', '-p', 'tsconfig.json'],
  ['imports', process.execPath, 'scripts/check-imports.ts'],
];

let failed = 0;
for (const [name, command, ...rest] of steps) {
  const { status } = spawnSync(command, rest, { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
