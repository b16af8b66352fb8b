import type { Migration } from 'kysely/migration';
import { apiKeys } from './migrations/0001-api-keys.ts';
import { identity } from './migrations/0002-identity.ts';
import { ledger } from './migrations/0003-ledger.ts';
import { budgets } from './migrations/0004-budgets.ts';
import { seenGateways } from './migrations/0005-seen-gateways.ts';
import { usageCounters } from './migrations/0006-usage-counters.ts';
import { retiredSigningKeys } from './migrations/0007-retired-signing-keys.ts';
import { sluiceVersions } from './migrations/0008-sluice-versions.ts';
import { ledgerFrames } from './migrations/0009-ledger-frames.ts';
import { files } from './migrations/0010-files.ts';
import { batches } from './migrations/0011-batches.ts';
import { responses } from './migrations/0012-responses.ts';
import { mcpOAuth } from './migrations/0013-mcp-oauth.ts';
import { requestLog } from './migrations/0014-request-log.ts';
import { conversations } from './migrations/0015-conversations.ts';
import { audit } from './migrations/0018-audit.ts';
import { batchBlocks } from './migrations/0019-batch-blocks.ts';
import { requestLogBlobs } from './migrations/0020-request-log-blobs.ts';
import { latenciesAndDeliveries } from './migrations/0023-latencies-and-deliveries.ts';

/** In the order of their names. One that was released is never changed: a further one is added. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-api-keys': apiKeys,
  '0002-identity': identity,
  '0003-ledger': ledger,
  '0004-budgets': budgets,
  '0005-seen-gateways': seenGateways,
  '0006-usage-counters': usageCounters,
  '0007-retired-signing-keys': retiredSigningKeys,
  '0008-sluice-versions': sluiceVersions,
  '0009-ledger-frames': ledgerFrames,
  '0010-files': files,
  '0011-batches': batches,
  '0012-responses': responses,
  '0013-mcp-oauth': mcpOAuth,
  '0014-request-log': requestLog,
  '0015-conversations': conversations,
  '0018-audit': audit,
  '0019-batch-blocks': batchBlocks,
  '0020-request-log-blobs': requestLogBlobs,
  '0023-latencies-and-deliveries': latenciesAndDeliveries,
};
