import { codeLoader } from './code-loader.ts';
import { madeOnce } from './made-once.ts';

/** zod takes 3 MB of a thread and 45 ms of its start: for schemas that most relay threads never need. */
export const zodLater = madeOnce((): typeof import('zod').z => codeLoader(import.meta.url)('./zod').z);
