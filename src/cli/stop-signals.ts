import type { Environment } from '../config/environment.ts';
import type { Gateway } from '../main-thread/running-gateway.ts';

/** How long after a signal npm may take to pass on its own copy of it. */
const NPM_COPY_MS = 1_000;
const PARENT_LOOK_MS = 1_000;

export interface StopSignalsOptions {
  readonly environment: Environment;
  /** Undefined until it serves: before that the process may end at once. */
  gateway(): Pick<Gateway, 'drain' | 'cut'> | undefined;
}

/**
 * SIGTERM and SIGINT: the first one drains, then the process exits with 0; a second one ends it at once.
 *
 * Under npm two more things happen. A terminal and a supervisor signal the whole process group, and npm passes its copy
 * on: of one signal two arrive. So a second one within a second is taken for that copy, and a third one ends the process.
 * And npm may be killed, or die of SIGHUP when its terminal closes: the gateway, which nobody could find then, drains.
 */
export function stopOnSignal({ environment, gateway }: StopSignalsOptions): void {
  const underNpm = isScriptOfNpm(environment);
  let stoppingSince: number | undefined;
  let copyCame = false;
  let exitCode = 0;
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      const isCopy = underNpm && !copyCame && performance.now() - stoppingSince < NPM_COPY_MS;
      copyCame = true;
      if (!isCopy) end(signal);
      return;
    }
    stoppingSince = performance.now();
    const serving = gateway();
    if (serving === undefined) end(signal);
    else
      serving.drain().then(
        () => process.exit(exitCode),
        () => process.exit(1),
      );
  };
  /** By its default action, which tears nothing down in order. Of process 1, in a container, the kernel takes none. */
  const end = (signal: NodeJS.Signals): void => {
    if (process.pid !== 1) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
      return;
    }
    exitCode = signal === 'SIGINT' ? 130 : 143;
    const serving = gateway();
    if (serving === undefined) process.exit(exitCode);
    // Relay threads with open sockets would take the process down as a crash.
    serving.cut();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (underNpm) whenOrphaned(() => stoppingSince === undefined && stop('SIGTERM'));
}

/** Also where npm merely stands further above, as in a test run, its variables are there: so its script is looked at. */
function isScriptOfNpm({ npm_lifecycle_event: event = '', npm_lifecycle_script: script = '' }: Environment): boolean {
  return /\b(serve|sluice)\b/.test(`${event} ${script}`);
}

function whenOrphaned(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, PARENT_LOOK_MS).unref();
}
