import type { Environment } from '../config/environment.ts';

/** How long after a signal npm may take to pass on its own copy of it. */
const NPM_COPY_MS = 1_000;
const PARENT_LOOK_MS = 1_000;

export interface StopSignalsOptions {
  readonly environment: Environment;
  /** Finishes what is open; undefined: nothing is served yet, so that the process may end at once. */
  drain(): Promise<void> | undefined;
}

/**
 * SIGTERM and SIGINT: the first one drains, then the process exits with 0; a second one ends it at once.
 *
 * Under npm two more things happen. A terminal and a supervisor signal the whole process group, and npm passes its copy
 * on: of one signal two arrive. So a second one within a second is taken for that copy, and a third one ends the process.
 * And npm may be killed, or die of SIGHUP when its terminal closes: the gateway, which nobody could find then, drains.
 */
export function stopOnSignal({ environment, drain }: StopSignalsOptions): void {
  const underNpm = isScriptOfNpm(environment);
  let stoppingSince: number | undefined;
  let copyCame = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      const isCopy = underNpm && !copyCame && performance.now() - stoppingSince < NPM_COPY_MS;
      copyCame = true;
      if (!isCopy) endBy(signal);
      return;
    }
    stoppingSince = performance.now();
    const drained = drain();
    if (drained === undefined) {
      endBy(signal);
      return;
    }
    drained.then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (underNpm) whenOrphaned(() => stoppingSince === undefined && stop('SIGTERM'));
}

/** By its default action, which tears nothing down in order. Of process 1, in a container, the kernel takes none. */
function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  if (process.pid === 1) process.exit(signal === 'SIGINT' ? 130 : 143);
  process.kill(process.pid, signal);
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
