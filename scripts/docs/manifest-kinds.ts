import type { z } from 'zod';
import { modelType } from '../../src/config/account-schema.ts';
import { notificationTarget } from '../../src/config/channels/notification-target.ts';
import { costSchema } from '../../src/config/cost-schema.ts';
import { permission } from '../../src/config/identities/grants.ts';
import { allKinds } from '../../src/config/kinds/kinds.ts';
import { sluiceServer } from '../../src/config/kinds/sluice-server.ts';
import { subjectPattern } from '../../src/config/subject-schema.ts';
import { allPlugs } from '../../src/plugs.ts';

/** Every kind of manifest that loads, but for `sluice/server`, which has a table of its own. */
export const MANIFEST_KINDS: readonly { readonly type: string; readonly schema: z.core.$ZodType }[] = [
  ...allKinds().filter((kind) => kind.type !== sluiceServer.type),
  ...allPlugs(),
];

/** Parts that several kinds share: shown once, under these names. */
export const SHARED_PARTS: readonly { readonly name: string; readonly schema: z.core.$ZodType }[] = [
  { name: 'cost', schema: costSchema },
  { name: 'notification target', schema: notificationTarget },
  { name: 'permission', schema: permission },
  { name: 'subject pattern', schema: subjectPattern },
  { name: 'model type', schema: modelType },
];
