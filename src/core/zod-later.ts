import { codeLoader } from './code-loader.ts';
import { madeOnce } from './made-once.ts';

/** zod takes 3 MB of a thread and 45 ms of its start: for schemas that most relay threads never need. */
export const zodLater: () => typeof import('zod').z = madeOnce(() => codeLoader(import.meta.url)('./zod').z);
