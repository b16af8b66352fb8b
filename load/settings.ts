/** Reads the command line. Every fault names what was found and what is allowed. */
import { parseArgs } from 'node:util';

/** What the command line may change; what it leaves out is the scenario's own. */
export type Settings = {
  connections?: number;
  requests?: number;
  durationMs?: number;
  rounds?: number;
  threads: number;
};

export type Command = {
  scenario: string;
  subjects: string[];
  /** Gateways of others: name, and command or address. */
  gateways: readonly (readonly [name: string, commandOrUrl: string])[];
  /** Another checkout, which takes part as `sluice-before`. */
  before: string | undefined;
  settings: Settings;
  jsonFile: string | undefined;
};

/** Bounds keep a slip of the finger from taking the machine down. */
const BOUNDS = {
  connections: [1, 16_000],
  requests: [1, 10_000_000],
  duration: [1, 600],
  threads: [1, 64],
  rounds: [1, 21],
} as const;

export class UsageError extends Error {}

export type Known = {
  scenarios: string[];
  peers: string[];
  /** Default subjects of a scenario, by its name: used when the command line names none. */
  subjects?: Readonly<Record<string, readonly string[]>>;
};

export function readCommand(args: string[], known: Known): Command {
  const { values, positionals } = parse(args);
  const [scenario, ...rest] = positionals;
  const scenarios = `allowed: list, ${known.scenarios.join(', ')}`;
  if (scenario === undefined) throw new UsageError(`no scenario given; ${scenarios}`);
  if (scenario !== 'list' && !known.scenarios.includes(scenario)) {
    throw new UsageError(`unknown scenario '${scenario}'; ${scenarios}`);
  }
  if (rest.length > 0) throw new UsageError(`one scenario at a time; also found '${rest.join(' ')}'`);
  const seconds = number('duration', values.duration);
  return {
    scenario,
    subjects: subjects(values, known.peers, known.subjects?.[scenario] ?? USUAL),
    gateways: gateways(values.gateway, known.peers),
    before: values.before,
    settings: {
      connections: number('connections', values.connections),
      requests: number('requests', values.requests),
      durationMs: seconds === undefined ? undefined : seconds * 1000,
      rounds: number('rounds', values.rounds),
      threads: number('threads', values.threads) ?? 1,
    },
    jsonFile: values.json,
  };
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  const options = {
    peers: text,
    subjects: text,
    connections: text,
    requests: text,
    duration: text,
    threads: text,
    rounds: text,
    before: text,
    gateway: { type: 'string', multiple: true } as const,
    json: text,
  };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const allowed = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`${(error as Error).message.split('. ')[0]}; allowed: ${allowed.join(' ')}`);
  }
}

function number(name: keyof typeof BOUNDS, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [low, high] = BOUNDS[name];
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new UsageError(`--${name} '${text}'; allowed: a whole number from ${low} to ${high}`);
  }
  return value;
}

function gateways(given: readonly string[] = [], known: readonly string[]): [string, string][] {
  return given.map((text) => {
    const [, name = '', what = ''] = /^([a-z0-9-]+)=(.+)$/s.exec(text) ?? [];
    if (name === '' || known.includes(name)) {
      throw new UsageError(`--gateway '${text}'; allowed: NAME=COMMAND or NAME=URL, with a name of its own`);
    }
    return [name, what];
  });
}

/** direct first, Sluice last, the peers between; `--subjects` names exactly who takes part. */
const USUAL = ['direct', 'sluice'];

function subjects(
  values: { peers?: string | undefined; subjects?: string | undefined },
  known: string[],
  usual: readonly string[],
): string[] {
  const asked = names('subjects', values.subjects, known);
  const peers = names('peers', values.peers, known);
  return asked ?? [...new Set([...usual.slice(0, -1), ...(peers ?? []), ...usual.slice(-1)])];
}

function names(option: string, text: string | undefined, known: string[]): string[] | undefined {
  if (text === undefined) return undefined;
  const found = text.split(',').filter((name) => name !== '');
  const unknown = found.find((name) => !known.includes(name));
  if (unknown !== undefined || found.length === 0) {
    throw new UsageError(`--${option} '${unknown ?? text}'; allowed, joined by commas: ${known.join(', ')}`);
  }
  return [...new Set(found)];
}
