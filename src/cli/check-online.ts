import type { Configuration } from '../config/configuration.ts';
import { type Fault, formatPath } from '../config/fault.ts';
import type { Loaded } from '../config/load.ts';
import type { AccountToken } from '../core/account-token.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { TokenSource, Tokens } from '../providers/credential.ts';
import type { Probe, ProviderAccount } from '../providers/provider.ts';
import { Connectors } from '../upstream/connector.ts';
import { httpClient } from '../upstream/one-request.ts';
import { askPlace, type Place, refused, type Said } from './ask-account.ts';
import { Table } from './table.ts';

export interface OnlineContext {
  openAccounts(configuration: Configuration, tokens: Tokens): readonly ProviderAccount[];
  tokenSources(configuration: Configuration): readonly TokenSource[];
  probeOf(accountType: string): Probe | undefined;
  /** The longest wait for one answer; 10 seconds by default. */
  readonly timeoutMs?: number;
}

export interface OnlineAnswers {
  readonly accounts: number;
  readonly table: readonly string[];
  readonly faults: Fault[];
  readonly warnings: Fault[];
}

/** Asked at once. */
const MAX_CONCURRENT = 8;
const TIMEOUT_MS = 10_000;

/**
 * Asks every account of a configuration whether its credential works, and which of its listed models exist: one cheap GET
 * for each address and credential, one more for each model that the list does not have.
 */
export async function checkOnline(loaded: Loaded, context: OnlineContext): Promise<OnlineAnswers> {
  const { configuration } = loaded;
  const timeoutMs = context.timeoutMs ?? TIMEOUT_MS;
  const http = httpClient(() => configuration.server.upstream);
  const { tokens, failures } = await fetchTokens(context.tokenSources(configuration), http, timeoutMs);
  const places = context
    .openAccounts(configuration, tokens)
    .flatMap((account) => placesOf(account, context.probeOf(account.type)));
  const connectors = new Connectors(configuration.server.upstream);
  const told: OnlineAnswers = { accounts: 0, table: [], faults: [], warnings: [] };
  const findings = await inParallel(places, (place) => {
    const failure = failures.get(place.account);
    return failure === undefined ? askPlace(place, connectors, timeoutMs) : refused(`it has no token: ${failure}`);
  });
  for (const [index, { faults, warnings }] of findings.entries()) {
    const { account } = places[index]!;
    told.faults.push(...faults.map((said) => faultOf(said, account, loaded)));
    told.warnings.push(...warnings.map((said) => faultOf(said, account, loaded)));
  }
  const rows = findings.map(({ credential, models }, index) => {
    const { account, mount } = places[index]!;
    return [account, mount.connection.origin, credential, models];
  });
  const table = rows.length === 0 ? [] : new Table().lines([['account', 'address', 'credential', 'models'], ...rows]);
  return { ...told, table, accounts: new Set(places.map(({ account }) => account)).size };
}

/** Models of one account are mostly at one place; of self-hosted ones each may be at its own. */
function placesOf(account: ProviderAccount, probe: Probe | undefined): Place[] {
  const places = new Map<string, Place & { listed: { modelId: string; index: number }[] }>();
  const any = account.listed.length > 0 ? account.listed : [account.target(account.exampleModel ?? 'any')];
  for (const [index, target] of any.entries()) {
    const [mount] = target === undefined ? [] : [...target.mounts.values()].flat();
    if (target === undefined || mount === undefined || target.local) continue;
    const { origin, credential } = mount.connection;
    const key = `${origin} ${mount.basePath} ${credential}`;
    const place = places.get(key) ?? { account: account.name, mount, target, probe, listed: [] };
    places.set(key, place);
    if (account.listed.length > 0) place.listed.push({ modelId: target.modelId, index });
  }
  return [...places.values()];
}

async function fetchTokens(sources: readonly TokenSource[], http: HttpClient, timeoutMs: number) {
  const tokens = new Map<string, AccountToken>();
  const failures = new Map<string, string>();
  await inParallel(sources, async (source) => {
    try {
      tokens.set(source.id, { id: source.id, ...(await source.fetch(AbortSignal.timeout(timeoutMs), http)) });
    } catch (error) {
      // Its reasons are made for people and hold no secret.
      failures.set(source.account, error instanceof Error ? error.message : String(error));
    }
  });
  return { tokens, failures };
}

/** In the order of the items. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R> | R): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
  return results;
}

function faultOf({ path, ...said }: Said, account: string, loaded: Loaded): Fault {
  const message = `account \`${account}\`: ${said.message}`;
  return { code: 'invalid-value', ...loaded.locateAccount(account, path), path: formatPath(path), ...said, message };
}
