import { z } from 'zod';
import { nearNames } from '../../core/near-names.ts';
import { ACCESS_ROLES } from '../access-roles.ts';
import { modelTypesMeant } from '../account-schema.ts';
import { membersOf, type Schema } from '../checks/schema-walk.ts';
import type { AccountManifest } from '../configuration.ts';
import { type Manifest, warn } from '../documents/manifests.ts';
import { didYouMean, type Report } from '../fault.ts';
import { type ManifestKind, manifestKind } from './manifest-kind.ts';

/** A kind of provider account, handed in by its plug: config itself knows no vendor. */
export interface AccountKind {
  readonly type: string;
  readonly schema: z.ZodType<AccountManifest>;
  /** What models of it can be asked for; absent: anything. */
  readonly servedModelTypes?: ReadonlySet<string>;
  /** Names that tell which model it is, where owners name models as they like; absent: an id is the model's own. */
  readonly tellingNames?: RegExp | undefined;
}

/** Accounts whose models are asked. Two of them may not have one name, whatever their kinds. */
export function modelAccount(kind: AccountKind): ManifestKind<AccountManifest> {
  const { type } = kind;
  return manifestKind<AccountManifest>({
    type,
    // Not asked for before a manifest of the kind is read.
    get schema() {
      return kind.schema;
    },
    uniqueKeys: [
      { path: 'name', what: 'this account name', over: 'model accounts' },
      { path: 'integrations[].name', what: 'this integration name' },
    ],
    listsModels: true,
    check(written, { report }) {
      for (const { manifest } of written) {
        const read = asWritten.safeParse(manifest.data);
        if (!read.success) continue;
        checkAccess(read.data, manifest, report);
        checkServed(read.data, kind.servedModelTypes, manifest, report);
        checkTelling(read.data, kind.tellingNames, manifest, report);
        if (wantsKey(kind.schema)) checkCredential(read.data, manifest, report);
      }
    },
  });
}

/** The account was found right by its own schema, which differs from kind to kind. */
const asWritten = z.object({
  base_url: z.unknown().optional(),
  auth_data: z.unknown().optional(),
  collaborators: z.array(z.object({ role_id: z.string() })).nullish(),
  integrations: z
    .array(
      z.object({
        authorized_subjects: z.array(z.string()).nullish(),
        model_types: z.array(z.string()).nullish(),
        name: z.string().optional(),
        model_id: z.string().nullish(),
        foundation_model: z.string().nullish(),
      }),
    )
    .nullish(),
});

type AsWritten = z.output<typeof asWritten>;

/** Access rules that are right in form and hardly what was meant. */
function checkAccess({ collaborators, integrations }: AsWritten, manifest: Manifest, report: Report): void {
  for (const [index, { role_id: role }] of (collaborators ?? []).entries()) {
    if (ACCESS_ROLES.has(role)) continue;
    warn(report, manifest, ['collaborators', index, 'role_id'], {
      message: `the role \`${role}\` gives nothing here`,
      allowed: [...ACCESS_ROLES].map((each) => `\`${each}\``).join(', '),
      remedy: didYouMean(nearNames(role, ACCESS_ROLES)),
    });
  }
  for (const [index, { authorized_subjects: subjects }] of (integrations ?? []).entries()) {
    if (subjects?.length !== 0) continue;
    warn(report, manifest, ['integrations', index, 'authorized_subjects'], {
      message: 'an empty list authorizes nobody: only managers of the account and grants may use this model',
      remedy: 'Leave the key out if it shall not restrict anybody',
    });
  }
}

function checkServed(
  { integrations }: AsWritten,
  served: ReadonlySet<string> | undefined,
  manifest: Manifest,
  report: Report,
): void {
  if (served === undefined) return;
  for (const [index, { model_types: types }] of (integrations ?? []).entries()) {
    for (const [at, type] of (types ?? []).entries()) {
      if (modelTypesMeant(type).some((meant) => served.has(meant))) continue;
      warn(report, manifest, ['integrations', index, 'model_types', at], {
        message: `no endpoint serves \`${type}\` with this kind of account yet`,
        allowed: [...served].map((each) => `\`${each}\``).join(', '),
      });
    }
    if (types?.length === 0) {
      const message = 'an empty list says nothing of what the model is for';
      warn(report, manifest, ['integrations', index, 'model_types'], { message, remedy: 'Write `[chat]`, say' });
    }
  }
}

/** Models refuse different things, and a name of one's own tells nobody which of them it is. */
function checkTelling(
  { integrations }: AsWritten,
  telling: RegExp | undefined,
  manifest: Manifest,
  report: Report,
): void {
  if (telling === undefined) return;
  for (const [index, { name, model_id: id, foundation_model: told, model_types: types }] of (
    integrations ?? []
  ).entries()) {
    if (told || id === undefined || id === null || !types?.some((type) => type === 'chat' || type === 'responses'))
      continue;
    if (telling.test(id) || (name !== undefined && telling.test(name))) continue;
    warn(report, manifest, ['integrations', index, 'model_id'], {
      message: 'nothing says which model is deployed here, so it has no list price and is asked as any model may be',
      remedy: 'Add `foundation_model: gpt-5.4`, say',
    });
  }
}

/** At its own address the provider of such an account answers nobody without a key. */
function checkCredential({ auth_data: auth, base_url: url }: AsWritten, manifest: Manifest, report: Report): void {
  if ((auth !== undefined && auth !== null) || (url !== undefined && url !== null)) return;
  warn(report, manifest, ['auth_data'], {
    message: 'this account has no credential, so its provider will refuse every request',
    remedy: 'Add `auth_data: {type: api-key, api_key: "${env:NAME}"}`',
  });
}

/** Whether an API key is the only credential that a kind of account knows: others may find theirs in the surroundings. */
function wantsKey(schema: z.ZodType): boolean {
  const [account] = membersOf(schema);
  if (account?._zod.def.type !== 'object') return false;
  const auth = account._zod.def.shape['auth_data'];
  const forms = auth === undefined ? [] : membersOf(auth);
  return forms.length > 0 && forms.every((form) => form._zod.def.type === 'object' && isApiKey(form._zod.def.shape));
}

function isApiKey(shape: Readonly<Record<string, Schema>>): boolean {
  return shape['type']?._zod.values?.has('api-key') ?? false;
}
