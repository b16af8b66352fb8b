import { z } from 'zod';
import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { didYouMean } from '../../config/fault.ts';
import { baseUrl, headerMap, optionalKey, restricting, text } from '../../config/scalar-schema.ts';
import { madeOnce } from '../../core/made-once.ts';
import { nearNames } from '../../core/near-names.ts';
import { anthropicWire } from '../anthropic-messages/wire.ts';
import { headerCredential } from '../base/credential.ts';
import { listedModels } from '../base/listed-models.ts';
import type { ProviderPlug, WellKnown } from '../provider.ts';
import { openHostAccount } from './host-account.ts';
import { HOST_WIRES } from './host-forms.ts';
import { addressParts, type HostRow } from './host-row.ts';
import { HOSTS, hostOf } from './hosts.ts';
import { openAiModels } from './models-probe.ts';

const WIRES = [...HOST_WIRES, anthropicWire];

/** An account of a kind of its own: where it is and what it differs in stands in its row. */
function hostPlug(row: HostRow): ProviderPlug {
  const type = `provider-account/${row.kind}`;
  const schema = madeOnce(() =>
    accountBase(type).extend({
      auth_data: optionalKey(apiKeyAuth),
      // The reference manifests have `base_url` at some kinds, ours at the others: proxies need it.
      base_url: optionalKey(baseUrl()).describe('For a proxy; absent: the address of its host.'),
      integrations: integrationList(integrationBase(`integration/model/${row.kind}`)),
      ...Object.fromEntries(
        Object.entries(row.switches ?? {}).map(([key, { about }]) => [key, optionalKey(z.boolean()).describe(about)]),
      ),
    }),
  );
  return {
    type,
    get schema() {
      return schema();
    },
    ...(row.variable !== undefined && {
      wellKnown: wellKnown(row.id, row.variable, { type }),
    }),
    wires: WIRES,
    ...(row.forwards && { forwards: row.forwards }),
    probe: row.modelsPath === undefined ? openAiModels : { ...openAiModels, path: row.modelsPath },
    open(checked) {
      const manifest = schema().parse(checked);
      const { auth_data: auth, base_url } = manifest;
      const on = Object.entries(row.switches ?? {}).filter(([key]) => Reflect.get(manifest, key) === true);
      return openHostAccount({
        manifest,
        row,
        key: auth?.api_key,
        baseUrl: base_url,
        headers: on.flatMap(([, { headers }]) => Object.entries(headers).flat()),
        listed: listedModels(manifest.integrations),
      });
    },
  };
}

function wellKnown(account: string, variable: string, manifest: object): WellKnown {
  return {
    variable,
    account,
    manifest: (value) => ({ ...manifest, name: account, auth_data: { type: 'api-key', api_key: value } }),
  };
}

const type = 'provider-account/openai-compatible';

const ROWS = HOSTS.filter(({ kind }) => kind === undefined);
const hostIds = ROWS.map(({ id }) => id);

function isHost(id: string, context: z.core.$RefinementCtx<string>): void {
  if (hostIds.includes(id)) return;
  const kind = HOSTS.find((row) => row.id === id)?.kind;
  const remedy = kind === undefined ? didYouMean(nearNames(id, hostIds)) : `Write \`type: provider-account/${kind}\``;
  const message = 'a host of the table in docs/providers.md, or a `base_url` without one';
  context.addIssue({ code: 'custom', message, params: { ...(remedy && { remedy }) } });
}

const schema = madeOnce(() =>
  accountBase(type)
    .extend({
      host: optionalKey(z.string().superRefine(isHost)).describe(
        'A host of [the table](providers.md#hosts-that-speak-openais-form), which says where it is and what it differs in.',
      ),
      base_url: optionalKey(baseUrl()).describe('Its address; with a `host`: in the place of the host’s own.'),
      host_parts: restricting(
        optionalKey(z.record(z.string(), text(256).regex(/^(?!\.+$)[\w.-]+$/, { error: 'letters, digits and . _ -' }))),
      ).describe('What stands for the `{…}` in the address of the host.'),
      auth_data: optionalKey(
        z.discriminatedUnion('type', [
          apiKeyAuth,
          z.object({
            type: z.literal('header'),
            headers: headerMap().describe('Sent with every request; taken for secrets.'),
          }),
        ]),
      ),
      integrations: integrationList(integrationBase('integration/model/openai-compatible')),
    })
    .superRefine(({ host, base_url: url, host_parts: parts = {}, auth_data: auth }, context) => {
      const refuse = (key: string, message: string, told: string) =>
        context.addIssue({ code: 'custom', path: [key], message, params: { message: told } });
      if (host === undefined) {
        if (url === undefined) refuse('base_url', 'a `base_url`, or a `host` of the table', 'nothing says where it is');
        return;
      }
      const row = hostOf(host);
      if (row === undefined || url !== undefined) return;
      const missing = addressParts(row).filter((part) => parts[part] === undefined);
      if (missing.length > 0) {
        refuse('host_parts', `a map with ${missing.join(', ')}`, `the address of \`${host}\` needs it`);
      }
      if (auth === undefined && !row.keyless) {
        refuse('auth_data', '`{type: api-key, api_key: "${env:NAME}"}`', `\`${host}\` answers nobody without a key`);
      }
    }),
);

/** Any other host: one of the table by its name, or one that nothing is known of. */
const compatible: ProviderPlug = {
  type,
  get schema() {
    return schema();
  },
  otherWellKnown: ROWS.flatMap((row) =>
    row.variable === undefined ? [] : [wellKnown(row.id, row.variable, { type, host: row.id })],
  ),
  wires: WIRES,
  forwards: [...new Set(ROWS.flatMap(({ forwards = [] }) => forwards))],
  probe: openAiModels,
  open(checked) {
    const manifest = schema().parse(checked);
    const { host, base_url, host_parts, auth_data: auth } = manifest;
    const credential =
      auth?.type === 'header'
        ? headerCredential(Object.entries(auth.headers).flatMap(([name, value]) => [name.toLowerCase(), value]))
        : undefined;
    return openHostAccount({
      manifest,
      row: (host === undefined ? undefined : hostOf(host)) ?? UNKNOWN_HOST,
      key: auth?.type === 'api-key' ? auth.api_key : undefined,
      credential,
      baseUrl: base_url,
      parts: host_parts,
      listed: listedModels(manifest.integrations),
    });
  },
};

/** What may be expected of a host that is only known by its address: what it has not, it says itself. */
const UNKNOWN_HOST: HostRow = {
  id: 'openai-compatible',
  title: 'any other host',
  mounts: { chat: 'https://unknown.invalid' },
  usage: 'asked',
  serves: [
    'chat',
    'completion',
    'embedding',
    'moderation',
    'rerank',
    'ocr',
    'image',
    'text_to_speech',
    'audio_transcription',
    'audio_translation',
  ],
  known: 'listed',
};

const PLUGS: readonly ProviderPlug[] = [
  ...HOSTS.filter(({ kind, ownPlug }) => kind !== undefined && !ownPlug).map(hostPlug),
  compatible,
];

/** The plug of a kind of account whose hosts are rows of the table. */
export function hostPlugOf(type: string): ProviderPlug | undefined {
  return PLUGS.find((plug) => plug.type === type);
}
