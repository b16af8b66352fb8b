/**
 * Fully qualified names, `<tenant>:<provider>:<account>` and `<tenant>:<provider>:<account>:<kind>:<integration>`.
 * Tenant, provider and kind have no effect: one gateway serves one tenant, whose account names are unique.
 */
export interface ResourceName {
  readonly account: string;
  readonly integration?: string;
}

/** Also of the short forms `account` and `account/integration`; undefined: it is none of them. */
export function parseResourceName(written: string): ResourceName | undefined {
  const parts = written.split(':');
  const [, , account, , ...rest] = parts;
  if (parts.length >= 5 && account) return { account, integration: rest.join(':') };
  if (parts.length === 3 && account) return { account };
  if (parts.length !== 1) return undefined;
  const slash = written.indexOf('/');
  if (slash < 0) return written === '' ? undefined : { account: written };
  const [before, after] = [written.slice(0, slash), written.slice(slash + 1)];
  return before === '' || after === '' ? undefined : { account: before, integration: after };
}

/** A model as rules and labels write it: `account/model`, also where it was written as a fully qualified name. */
export function canonicalModel(written: string): string {
  // A model id may hold colons itself; only the long form has the word between account and name.
  const match = /^[^:/]+:[^:/]+:([^:/]+):model:(.+)$/.exec(written);
  return match ? `${match[1]}/${match[2]}` : written;
}
