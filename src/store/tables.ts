import type { AuditTables } from './tables/audit-tables.ts';
import type { BatchTables } from './tables/batch-tables.ts';
import type { BudgetTables } from './tables/budget-tables.ts';
import type { FileTables } from './tables/file-tables.ts';
import type { KeyTables } from './tables/key-tables.ts';
import type { LedgerTables } from './tables/ledger-tables.ts';
import type { McpTables } from './tables/mcp-tables.ts';
import type { RequestLogTables } from './tables/request-log-tables.ts';
import type { ResponseTables } from './tables/response-tables.ts';

export type { ApiKeysTable } from './tables/key-tables.ts';

/** The tables as queries see them. Only types that SQLite and PostgreSQL have in common: text, whole numbers, and text that is JSON. */
export interface Tables
  extends KeyTables,
    LedgerTables,
    BudgetTables,
    FileTables,
    BatchTables,
    ResponseTables,
    McpTables,
    RequestLogTables,
    AuditTables {}
