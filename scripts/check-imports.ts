import { fileURLToPath } from 'node:url';
import { checkImports } from './import-rules.ts';

const faults = checkImports(fileURLToPath(new URL('..', import.meta.url)));
for (const { file, imports, reason } of faults) console.error(`${file}: imports ${imports}: ${reason}`);
process.exit(faults.length === 0 ? 0 : 1);
