import type { Environment } from '../config/environment.ts';
import { type Fault, formatFault } from '../config/fault.ts';
import { type AccountKind, loadConfiguration } from '../config/load.ts';
import type { OnlineContext } from './check-online.ts';
import { plural } from './plural.ts';
import type { CommandOutput } from './with-database.ts';

export interface CheckOptions {
  /** Warnings are faults. */
  readonly strict?: boolean;
  /** Providers are asked. */
  readonly online?: boolean;
}

export interface CheckContext extends CommandOutput {
  readonly kinds: readonly AccountKind[];
  readonly environment: Environment;
  readonly online: OnlineContext;
}

interface Found {
  readonly faults: readonly Fault[];
  readonly warnings: readonly Fault[];
}

/**
 * `sluice check PATH…`: every fault and warning on a line of its own, a line of counts, and the exit code. Providers are
 * asked only where the manifests have no fault.
 */
export async function check(paths: readonly string[], options: CheckOptions, context: CheckContext): Promise<number> {
  const { kinds, environment, out, error } = context;
  if (paths.length === 0) {
    error('check needs at least one file or folder, or SLUICE_CONFIG: sluice check ./config');
    return 1;
  }
  const result = loadConfiguration({ paths, kinds, environment, wellKnown: [] });
  const written = told('faults' in result ? result : { faults: [], warnings: result.warnings }, options, context);
  const counts = [
    plural(result.files.length, 'file'),
    plural(written.faults, 'fault'),
    plural(written.warnings, 'warning'),
  ];
  out(counts.join(', '));
  if (options.online !== true) return written.faults === 0 ? 0 : 1;
  if ('faults' in result) {
    error('no provider was asked: mend the faults first');
    return 1;
  }
  const { checkOnline } = await import('./check-online.ts');
  const answers = await checkOnline(result, context.online);
  for (const line of answers.table) out(line);
  const online = told(answers, options, context);
  out(
    [plural(answers.accounts, 'account'), plural(online.faults, 'fault'), plural(online.warnings, 'warning')].join(
      ', ',
    ),
  );
  return written.faults + online.faults === 0 ? 0 : 1;
}

/** Tells what was found, and how many count as what. */
function told(
  found: Found,
  { strict }: CheckOptions,
  { out, error }: CommandOutput,
): { faults: number; warnings: number } {
  const [faults, warnings] = strict ? [[...found.faults, ...found.warnings], []] : [found.faults, found.warnings];
  for (const fault of faults) error(formatFault(fault));
  for (const warning of warnings) out(formatFault({ ...warning, message: `warning: ${warning.message}` }));
  return { faults: faults.length, warnings: warnings.length };
}
