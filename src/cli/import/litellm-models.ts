import type { Access } from './accounts.ts';
import { entryOf, type Imported, listOf, mapOf, type Source, textOf } from './imported.ts';
import { HOSTS, KINDS, OWN_SERVERS, providerOfModel } from './provider-names.ts';

/** Prefixes of LiteLLM's that say how a provider is asked, which is found out here. */
const WAYS = /^(?:converse|invoke|responses|chat|converse_like)\//;
const REGION = /^([a-z]{2}(?:-gov)?-[a-z]+-\d)\//;

export interface LitellmModel {
  readonly provider: string;
  /** The provider's own id. */
  readonly model: string;
}

/** Whose model `litellm_params.model` is. */
export function litellmModel(params: Source, path: string, imported: Imported): LitellmModel | undefined {
  const written = textOf(params['model']);
  if (written === undefined) {
    imported.lost(`${path}.model`, 'is missing');
    return undefined;
  }
  if (written === '*') {
    imported.lost(`${path}.model`, '`*` is every provider: write an entry for each that is used, as `openai/*`');
    return undefined;
  }
  const slash = written.indexOf('/');
  const prefix = slash > 0 ? written.slice(0, slash) : '';
  const named = textOf(params['custom_llm_provider']);
  if (named !== undefined) return { provider: named, model: prefix === named ? written.slice(slash + 1) : written };
  if (
    prefix !== '' &&
    (entryOf(KINDS, prefix) || entryOf(HOSTS, prefix) || OWN_SERVERS.has(prefix) || !written.includes('.'))
  ) {
    const rest = written.slice(slash + 1).replace(WAYS, '');
    return { provider: prefix, model: rest.replace(REGION, '') };
  }
  const provider = providerOfModel(written) ?? (slash > 0 ? prefix : undefined);
  if (provider !== undefined) return { provider, model: provider === prefix ? written.slice(slash + 1) : written };
  imported.lost(
    `${path}.model`,
    `\`${written}\` names no provider: write one in front of it, as \`openai/${written}\``,
  );
  return undefined;
}

/** How its provider is reached: as the entry says, over the named credential of `credential_list`. */
export function litellmAccess(provider: string, params: Source, source: Source, path: string): Access {
  const name = textOf(params['litellm_credential_name']);
  const credential = listOf(source['credential_list'])
    .map(mapOf)
    .find((each) => each['credential_name'] === name);
  const all = { ...(name === undefined ? {} : mapOf(credential?.['credential_values'])), ...params };
  const model = textOf(params['model']) ?? '';
  return {
    provider,
    path,
    apiKey: all['api_key'],
    baseUrl: all['api_base'] ?? all['base_url'],
    apiVersion: all['api_version'],
    region: all['aws_region_name'] ?? all['vertex_location'] ?? REGION.exec(model.slice(model.indexOf('/') + 1))?.[1],
    accessKeyId: all['aws_access_key_id'],
    secretAccessKey: all['aws_secret_access_key'],
    sessionToken: all['aws_session_token'],
    roleArn: all['aws_role_name'],
    project: all['vertex_project'],
    keyFile: all['vertex_credentials'],
  };
}
