/**
 * Given with --import, which threads inherit: what V8 compiled is kept for the later gateways and commands of the tests, in
 * place of compiling it again in each of their threads. It is no .ts file, because that would have to be stripped.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/sluice/compiled', import.meta.url)));
