import { configurationPaths, type Environment } from '../config/environment.ts';
import { formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration, type WellKnownAccount } from '../config/load.ts';
import { watchConfiguration } from '../config/watch.ts';
import { startGateway } from '../main-thread/gateway.ts';
import type { Gateway } from '../main-thread/running-gateway.ts';
import { StartFault } from '../main-thread/start-fault.ts';
import { StoreFault } from '../store/store-fault.ts';
import { plural } from './plural.ts';
import { stopOnSignal } from './stop-signals.ts';

export interface ServeOptions {
  config?: string[];
  port?: string;
  threads?: string;
  dataDir?: string;
}

export interface ServeContext {
  readonly environment: Environment;
  setVariable(name: string, value: string): void;
  readonly kinds: readonly AccountKind[];
  readonly wellKnown: readonly WellKnownAccount[];
  /** Models to show in the printed request, best first. */
  exampleModel(gateway: Gateway): string | undefined;
  out(text: string): void;
  error(text: string): void;
}

/** `sluice serve`: loads, starts, prints how to reach it, and stays until a signal. Gives an exit code if it cannot. */
export async function serve(options: ServeOptions, context: ServeContext): Promise<number | undefined> {
  const { environment, kinds, wellKnown } = context;
  const paths = options.config?.length ? options.config : configurationPaths(environment);
  const overrides = {
    ...(options.port === undefined ? undefined : { port: numeric(options.port) }),
    ...(options.threads === undefined ? undefined : { threads: numeric(options.threads) }),
    ...(options.dataDir === undefined ? undefined : { dataDir: options.dataDir }),
  };
  let gateway: Gateway | undefined;
  let changedMeanwhile = false;
  const reload = () => {
    // A start may wait for its database: what changes meanwhile would never be seen.
    changedMeanwhile = gateway === undefined;
    gateway?.reload().then((read) => {
      if (read !== undefined) watch?.update([...paths, ...read.files], read.readAtMs);
    });
  };
  // From the beginning: unheard, it would end the process.
  process.on('SIGHUP', reload);
  // From the beginning as well: process 1 of a container does not end by a signal that it does not hear.
  stopOnSignal({ environment, gateway: () => gateway });
  // Before the first load, so that no change falls between the two.
  const watch = paths.length > 0 ? watchConfiguration({ paths, onChange: reload }) : undefined;
  const loaded = loadConfiguration({ paths, environment, kinds, wellKnown, overrides });
  for (const warning of loaded.warnings) context.error(`warning: ${formatFault(warning)}`);
  if ('faults' in loaded) {
    for (const fault of loaded.faults) context.error(formatFault(fault));
    context.error(`${plural(loaded.faults.length, 'fault')} in the configuration; not started`);
    return 1;
  }
  watch?.update([...paths, ...loaded.files]);
  try {
    gateway = await startGateway({
      configuration: loaded.configuration,
      source: { paths, environment, overrides },
      setVariable: context.setVariable,
    });
  } catch (error) {
    if (!isToldAsIs(error)) throw error;
    context.error(error.message);
    return 1;
  }
  if (changedMeanwhile) reload();
  announce(gateway, context);
  if (loaded.configuration.accounts.length === 0) context.error(NO_PROVIDER[paths.length > 0 ? 'configured' : 'bare']);
  return undefined;
}

const NO_PROVIDER = {
  bare: 'No provider yet: start with OPENAI_API_KEY set, say, or write a configuration: sluice init',
  configured: 'No provider yet: add one to the configuration, as `sluice add openai` does',
};

/** Prints the base URL, then a request that works as printed: scripts and the README count on both. */
function announce(gateway: Gateway, context: ServeContext): void {
  context.out(`Sluice is ready: ${gateway.url}/v1 (operator: ${gateway.operatorUrl})`);
  if (gateway.consoleToken !== undefined) {
    // Behind `#` it stays in the browser: no log of a proxy holds it.
    context.out(`Console, to look only: ${gateway.operatorUrl}/console/#token=${gateway.consoleToken}`);
  }
  const model = context.exampleModel(gateway);
  const key = gateway.defaultKey ?? '$SLUICE_API_KEY';
  const insecure = gateway.url.startsWith('https') ? ' -k' : '';
  if (model === undefined) {
    context.out(`curl -s${insecure} ${gateway.url}/v1/models -H "Authorization: Bearer ${key}"`);
    return;
  }
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'What is a sluice?' }] });
  context.out(`curl -sN${insecure} ${gateway.url}/v1/chat/completions \\`);
  context.out(`  -H "Authorization: Bearer ${key}" \\`);
  context.out(`  -H "Content-Type: application/json" \\`);
  context.out(`  -d '${body}'`);
}

/** These carry a sentence for people. */
function isToldAsIs(error: unknown): error is StartFault | StoreFault {
  return error instanceof StartFault || error instanceof StoreFault;
}

/** A text that is no number is shown as it was typed, by the check of all settings. */
function numeric(typed: string): number | string {
  return /^\d{1,15}$/.test(typed) ? Number(typed) : typed;
}
