export type BudgetTables = Record<never, never>;
