import type { Operation } from '../../inference/operation.ts';
import type { Credential } from '../credential.ts';
import type { Mount, Mounts, Wire } from '../provider.ts';
import { digest } from './credential.ts';

export interface MountSetup {
  readonly wire: Wire;
  /** Base address; its path stands before the wire's own. Checked by the manifest schema's `baseUrl()`. */
  readonly url: string;
  readonly credential: Credential;
  /** In place of the base path with the wire's behind it. From the root. */
  readonly path?: Mount['path'];
  readonly sessionModel?: Mount['sessionModel'];
  /** Flat name-value pairs sent with every request; no secrets. */
  readonly headers?: readonly string[];
  /** The client headers that the plug's hosts take beyond those of the wire. */
  readonly forwards?: readonly string[];
  /** The manifest, for what it says of the way to its provider. */
  readonly account?: { proxy?: string | undefined; tls_settings?: TlsSettings | undefined };
}

interface TlsSettings {
  reject_unauthorized: boolean;
  ca_cert?: string | undefined;
}

/** One wire at one address. */
export function mountAt(setup: MountSetup): Mount {
  const { wire, url, credential, headers = [], forwards = [], account = {}, path, sessionModel } = setup;
  const { origin, pathname } = new URL(url);
  const { proxy, tls_settings: tls } = account;
  const basePath = pathname === '/' ? '' : pathname;
  return {
    wire,
    connection: {
      origin,
      // Whatever sets an account apart at the provider keeps its connections apart.
      credential: headers.length === 0 ? credential.poolKey : digest([credential.poolKey, ...headers]),
      proxy,
      tls: tls && { rejectUnauthorized: tls.reject_unauthorized, ca: tls.ca_cert },
    },
    credential,
    headers,
    forwards: [...wire.forwards, ...forwards],
    basePath,
    path: path ?? ((target, request) => basePath + wire.path(target, request)),
    ...(sessionModel && { sessionModel }),
  };
}

/** In the order given: of several that could answer a client the first is asked. */
export function mountsOf(mounts: readonly Mount[]): Mounts {
  const byOperation = new Map<Operation, Mount[]>();
  for (const mount of mounts) {
    const { operation } = mount.wire;
    byOperation.set(operation, [...(byOperation.get(operation) ?? []), mount]);
  }
  return byOperation;
}
