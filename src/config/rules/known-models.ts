import { nearNames } from '../../core/near-names.ts';
import type { Manifest } from '../documents/manifests.ts';

/** Passes on no id that it does not list. */
const VIRTUAL = 'provider-account/virtual-model';

/**
 * Accounts and the models they list, read from the data as it is written, so that a fault elsewhere in an account does
 * not make every rule about it look wrong.
 */
export class KnownModels {
  /** Undefined: it lists none, so any model id is passed on. */
  readonly #accounts = new Map<string, ReadonlySet<string> | undefined>();
  /** Further names, of virtual models. */
  readonly #slugs = new Set<string>();

  constructor(accounts: readonly Manifest[], demoAccount: boolean) {
    for (const { data } of accounts) {
      if (!isMap(data) || typeof data['name'] !== 'string') continue;
      const integrations = Array.isArray(data['integrations']) ? data['integrations'] : [];
      const names = integrations.flatMap((each) =>
        isMap(each) && typeof each['name'] === 'string' ? [each['name']] : [],
      );
      const virtual = data['type'] === VIRTUAL;
      this.#accounts.set(data['name'], names.length > 0 || virtual ? new Set(names) : undefined);
      for (const each of integrations) {
        if (virtual && isMap(each) && typeof each['slug'] === 'string') this.#slugs.add(each['slug']);
      }
    }
    if (demoAccount && !this.#accounts.has('demo')) this.#accounts.set('demo', undefined);
  }

  hasAccount(name: string): boolean {
    return this.#accounts.has(name);
  }

  hasModel(account: string, model: string): boolean {
    if (!this.#accounts.has(account)) return false;
    return this.#accounts.get(account)?.has(model) ?? true;
  }

  /** Whether a canonical name, or a pattern of such, can be that of any model; patterns are held against accounts only. */
  canBe(model: string): boolean {
    // Tools of MCP servers (limits/tool-rules.ts) are known by their servers only when these are asked.
    if (model.startsWith('*') || model.startsWith('mcp:') || this.#slugs.has(model)) return true;
    const slash = model.indexOf('/');
    const star = model.indexOf('*');
    if (star >= 0 && (slash < 0 || star < slash)) {
      return [...this.#accounts.keys()].some((account) => account.startsWith(model.slice(0, star)));
    }
    if (slash < 0) return false;
    const [account, name] = [model.slice(0, slash), model.slice(slash + 1)];
    return star >= 0 ? this.hasAccount(account) : this.hasModel(account, name);
  }

  nearModels(model: string): string[] {
    const all = [...this.#accounts].flatMap(([account, names]) =>
      [...(names ?? [])].map((name) => `${account}/${name}`),
    );
    const slash = model.indexOf('/');
    const near = nearNames(model, all);
    if (near.length > 0) return near;
    // Only the account is missing.
    const whole = slash < 0 ? all.filter((each) => each.endsWith(`/${model}`)) : [];
    if (whole.length > 0) return whole.slice(0, 3);
    const name = slash < 0 ? '' : model.slice(slash + 1);
    // It is the account that is misspelt.
    return this.nearAccounts(slash < 0 ? model : model.slice(0, slash)).map((account) =>
      this.hasModel(account, name) && name !== '' ? `${account}/${name}` : `${account}/*`,
    );
  }

  nearAccounts(name: string): string[] {
    return nearNames(name, this.#accounts.keys());
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
