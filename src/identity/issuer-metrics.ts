import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { IssuerState } from './issuer-keys.ts';

/** The names of providers are the configuration's, so these families are bounded. */
export function registerIssuers(registry: MetricRegistry, states: () => readonly IssuerState[]): void {
  const each = (value: (state: IssuerState) => number) => () =>
    states().map((state) => ({ labels: { provider: state.provider }, value: value(state) }));
  registry.family(
    'counter',
    'sluice_jwks_refresh_failures_total',
    'Times the keys of an identity provider could not be fetched; those that are known stay in force',
    each((state) => state.failures),
  );
  registry.family(
    'gauge',
    'sluice_jwks_keys',
    'Signing keys of an identity provider that are accepted now',
    each((state) => state.keys),
  );
}
