import type { Configuration } from '../config/configuration.ts';
import type { ProviderAccount } from '../providers/provider.ts';
import { credentialsOf } from './balanced-routes.ts';
import { reasonText } from './blame.ts';
import type { CircuitState } from './circuit.ts';
import { credentialKey, type HealthMemory, Place } from './place.ts';

/** The state of one target with one credential, for operators. */
export interface TargetView {
  readonly target: string;
  /** Tells the credentials of an account apart; a digest. */
  readonly credential: string;
  /** `probing`: one request was let through; `recovering`: it gets less than its share for a while. */
  readonly state: 'up' | 'out' | 'probing' | 'recovering';
  /** Whose fault it is, where it is out. */
  readonly blamed: 'target' | 'credential' | 'limited' | null;
  /** `status 503`, or a code of the table of errors. */
  readonly reason: string | null;
  readonly since: string | null;
  readonly until: string | null;
  readonly consecutive_failures: number;
  readonly window: { readonly requests: number; readonly failures: number };
  readonly latency_ms: {
    readonly first_content: { readonly p50: number | null; readonly p95: number | null };
    readonly per_token: { readonly p50: number | null; readonly p95: number | null };
  };
}

type RoutedConfiguration = Pick<Configuration, 'virtualModels' | 'loadBalancing' | 'fallbackRules' | 'server'>;

/** Everything whose health is kept: targets of virtual models and rules, and models of accounts with several keys. */
export function placesOf(
  configuration: RoutedConfiguration,
  accounts: readonly ProviderAccount[],
  memory: HealthMemory,
): Place[] {
  const { virtualModels, loadBalancing, fallbackRules, server } = configuration;
  const names = new Set([
    ...virtualModels.flatMap(({ integrations }) => integrations.flatMap(({ routing }) => routing.targets)).map(nameOf),
    ...loadBalancing.flatMap(({ routing }) => routing.targets).map(nameOf),
    ...fallbackRules.flatMap(({ targets }) => targets).map(nameOf),
    ...accounts.filter(({ others }) => others !== undefined).flatMap(({ listed }) => listed.map(({ id }) => id)),
  ]);
  const byName = new Map(accounts.map((account) => [account.name, account]));
  return [...names].flatMap((name) => {
    const slash = name.indexOf('/');
    const account = byName.get(name.slice(0, slash));
    const targets = account === undefined ? [] : credentialsOf(account, name.slice(slash + 1));
    return targets.map((target) => new Place(target, memory, server.routing));
  });
}

function nameOf({ target }: { readonly target: string }): string {
  return target;
}

/** `wallMs`: the time of day. */
export function viewOf(place: Place, now: number, wallMs: number): TargetView {
  const { target, circuits, latency } = place;
  const states = Object.entries(circuits).flatMap(([blamed, circuit]) =>
    circuit === undefined ? [] : [{ blamed: blamed as keyof typeof circuits, ...circuit.state(now) }],
  );
  const out = states.filter((each) => each.out && (each.blamed !== 'limited' || each.forMs > 0));
  const [worst] = out.sort((one, other) => other.forMs - one.forMs);
  const ofTarget = states.find(({ blamed }) => blamed === 'target');
  const at = (ms: number): string => new Date(wallMs + ms).toISOString();
  const percentiles = (metric: 'first-content' | 'per-token') => ({
    p50: rounded(latency?.percentile(metric, 0.5, now)),
    p95: rounded(latency?.percentile(metric, 0.95, now)),
  });
  return {
    target: target.id,
    credential: credentialKey(target),
    state: worst === undefined ? (place.share(now) < 1 ? 'recovering' : 'up') : stateOf(worst),
    blamed: worst?.blamed ?? null,
    reason: worst === undefined ? null : reasonText(worst.reason),
    since: worst === undefined ? null : at(-worst.sinceMs),
    until: worst === undefined ? null : at(worst.forMs),
    consecutive_failures: ofTarget?.consecutiveFailures ?? 0,
    window: { requests: ofTarget?.requests ?? 0, failures: ofTarget?.failures ?? 0 },
    latency_ms: { first_content: percentiles('first-content'), per_token: percentiles('per-token') },
  };
}

function stateOf({ probing }: CircuitState): 'out' | 'probing' {
  return probing ? 'probing' : 'out';
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
