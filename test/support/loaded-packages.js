/**
 * Given with --import: adds the URL of every module that any thread of the process loads to the file LOADED_PACKAGES_FILE
 * names, and `fetch` once a thread has Node's own undici. No .ts file: see scripts/strip-types.js.
 */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const file = process.env.LOADED_PACKAGES_FILE ?? '';
registerHooks({
  load(url, context, nextLoad) {
    appendFileSync(file, `${url}\n`);
    return nextLoad(url, context);
  },
});
const timer = setInterval(() => {
  // The modules of Node itself that the thread has loaded; there is no public way to ask.
  const own = Reflect.get(process, 'moduleLoadList');
  if (!Array.isArray(own) || !own.includes('NativeModule internal/deps/undici/undici')) return;
  appendFileSync(file, 'fetch\n');
  clearInterval(timer);
}, 50).unref();
