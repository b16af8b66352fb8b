import { type AccountSetup, targetOf } from '../base/account.ts';
import { digest } from '../base/credential.ts';
import { mountAt, mountsOf } from '../base/mount.ts';
import { providerError } from '../base/provider-error.ts';
import { readProviderFault } from '../base/provider-fault.ts';
import { redaction, secretsOf } from '../base/redaction.ts';
import type { Credential } from '../credential.ts';
import type { EndpointPool, ProviderPlug, RawEndpoint, Wire } from '../provider.ts';
import {
  type CustomEndpointAccount,
  type EndpointAuth,
  type EndpointManifest,
  manifestSchema,
  type,
} from './manifest.ts';

/** Nothing of requests and answers is read. */
const rawWire: Wire = {
  name: 'raw',
  operation: 'raw',
  framing: 'none',
  method: 'POST',
  contentType: 'of-the-client',
  forwards: [],
  path: () => '',
  toUsage: () => undefined,
  toError: (status, body, target) => providerError(status, readProviderFault(body), target),
};

/** As the reference product's default for its virtual models. */
const FALLBACK_STATUSES = [401, 403, 404, 408, 429, 500, 502, 503];
/** Asked behind all that say theirs. */
const LAST_PRIORITY = Number.MAX_SAFE_INTEGER;

/** Addresses of one's own, to which requests are passed on as they are: `/proxy-api/{account}/{endpoint}/…`. */
export const plug: ProviderPlug = {
  type,
  schema: manifestSchema,
  wires: [],
  open(checked) {
    const manifest = manifestSchema.parse(checked);
    const endpoints = manifest.integrations.map((each) => rawEndpoint(manifest, each));
    return {
      name: manifest.name,
      type,
      provider: 'custom-endpoint',
      exampleModel: undefined,
      catalogueId: undefined,
      connections: endpoints.map(({ target }) => [...target.mounts.values()].flat()[0]!.connection),
      listed: [],
      target: () => undefined,
      endpoints: poolsOf(manifest, endpoints),
    };
  },
};

function poolsOf({ name, routing_type: order, slug = name, integrations }: CustomEndpointAccount, all: RawEndpoint[]) {
  if (order !== undefined) return new Map<string, EndpointPool>([[slug, { order, endpoints: all }]]);
  const own = integrations.map((each, index): [string, EndpointPool] => [
    each.name,
    { order: 'priority', endpoints: [all[index]!] },
  ]);
  return new Map(own);
}

function rawEndpoint(manifest: CustomEndpointAccount, endpoint: EndpointManifest): RawEndpoint {
  const {
    tls_settings = manifest.tls_settings,
    auth_data = manifest.auth_data,
    loadbalancing_config: config,
  } = endpoint;
  const setup: AccountSetup = {
    manifest: { type, name: manifest.name },
    catalogueId: undefined,
    abilities: { usageInStream: false, developerRole: true },
  };
  const credential = endpointCredential(endpoint.headers, authHeaders(auth_data));
  const mount = mountAt({
    wire: rawWire,
    url: endpoint.base_url,
    credential,
    account: { proxy: manifest.proxy, tls_settings },
  });
  const model = { name: endpoint.name, modelId: endpoint.name, modelTypes: [] };
  return {
    target: targetOf(setup, mountsOf([mount]), model),
    weight: config?.weight ?? 0,
    priority: config?.priority ?? LAST_PRIORITY,
    fallbackStatuses: new Set(config?.fallback_status_codes ?? FALLBACK_STATUSES),
    isFallback: config?.fallback_candidate ?? true,
    metadata: config?.metadata_match ?? {},
  };
}

/** A credential stands over a header of the same name. What else is configured may be one as well. */
function endpointCredential(
  configured: Readonly<Record<string, string>> = {},
  auth: Readonly<Record<string, string>>,
): Credential {
  const all = new Map<string, string>();
  for (const [name, value] of [...Object.entries(configured), ...Object.entries(auth)])
    all.set(name.toLowerCase(), value);
  const headers = [...all].flat();
  return {
    poolKey: digest(headers),
    sign: () => headers,
    redact: redaction([...secretsOf(headers), ...Object.values(auth)]),
  };
}

function authHeaders(auth: EndpointAuth | undefined): Readonly<Record<string, string>> {
  switch (auth?.type) {
    case 'header':
      return auth.headers;
    case 'bearer-auth':
      return { authorization: `Bearer ${auth.bearer_token}` };
    case 'basic-auth':
      return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` };
    case undefined:
      return {};
  }
}
