import { anthropicWire } from '../anthropic-messages/wire.ts';
import { type OneAddress, openAccount } from '../base/account.ts';
import { headerCredential, NO_CREDENTIAL } from '../base/credential.ts';
import { mountAt } from '../base/mount.ts';
import type { Credential } from '../credential.ts';
import type { Abilities, FaultStatuses, Mount, ProviderAccount, Wire } from '../provider.ts';
import { chatRules } from './chat-rules.ts';
import { HOST_BATCHES, wiresOf } from './host-forms.ts';
import type { HostRow } from './host-row.ts';

export interface HostSetup {
  readonly manifest: OneAddress['manifest'] & Pick<Parameters<typeof mountAt>[0], 'account'>['account'];
  readonly listed: OneAddress['listed'];
  readonly row: HostRow;
  readonly key: string | undefined;
  /** In the place of the row's own address: a proxy, or a server of the same kind. It has OpenAI's forms only. */
  readonly baseUrl: string | undefined;
  /** The values for the `{part}`s of the row's addresses. */
  readonly parts?: Readonly<Record<string, string>>;
  /** Flat name-value pairs beside the row's. */
  readonly headers?: readonly string[];
  /** In the place of the key: what the row says of headers does not count. */
  readonly credential?: Credential | undefined;
}

/** An account at a host of the table, with every form that it serves side by side. */
export function openHostAccount(setup: HostSetup): ProviderAccount {
  const { manifest, row, listed } = setup;
  return openAccount({
    manifest,
    provider: row.kind ?? row.id,
    catalogueId: row.catalogueId,
    ...(row.example !== undefined && { exampleModel: row.example }),
    abilities: abilitiesOf(row),
    rulesOf: (modelId) => chatRules(row, modelId),
    faultStatuses: faultStatuses(row),
    mounts: mountsAt(setup),
    ...(row.batches !== undefined && HOST_BATCHES[row.batches]),
    listed,
  });
}

export function abilitiesOf({ usage, developerRole }: HostRow): Abilities {
  return { usageInStream: usage === 'asked', developerRole: developerRole === true };
}

function faultStatuses({ faults }: HostRow): FaultStatuses | undefined {
  return faults && new Map(Object.entries(faults));
}

function mountsAt(setup: HostSetup): Mount[] {
  const { manifest, row, baseUrl, headers = [] } = setup;
  const { mounts, forwards = [] } = row;
  const fixed = [...Object.entries(row.headers ?? {}).flat(), ...headers];
  const openAi = (wire: Wire, address: string): Mount =>
    mountAt({
      wire,
      account: manifest,
      url: baseUrl ?? filled(address, setup),
      credential: credentialOf(setup, row.credential),
      headers: fixed,
      forwards,
    });
  const own = wiresOf(row).map(({ type, wire }) =>
    openAi(wire, (type === 'embedding' ? mounts.embeddings : undefined) ?? mounts.chat),
  );
  if (mounts.messages === undefined || baseUrl !== undefined) return own;
  const messages = mountAt({
    wire: anthropicWire,
    account: manifest,
    url: filled(mounts.messages, setup),
    credential: credentialOf(setup, row.messagesCredential ?? row.credential),
    headers: ['anthropic-version', '2023-06-01', ...fixed],
    forwards,
  });
  return [...own, messages];
}

const BEARER = { header: 'authorization', scheme: 'Bearer' };

function credentialOf({ key, credential }: HostSetup, style: HostRow['credential'] = BEARER): Credential {
  if (credential) return credential;
  if (key === undefined) return NO_CREDENTIAL;
  const { header, scheme } = style;
  return headerCredential([header, scheme === undefined ? key : `${scheme} ${key}`]);
}

function filled(address: string, { parts = {} }: HostSetup): string {
  return address.replace(/\{(\w+)\}/g, (_, part: string) => parts[part] ?? '');
}
