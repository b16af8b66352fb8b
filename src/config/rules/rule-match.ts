export interface MetadataRule {
  id: string;
  /** Absent: everybody. */
  subjects?: string[];
  override: Record<string, string>;
}

/** All that is given must hold. Patterns may hold `*`. */
export interface RuleMatch {
  /** `user:…`, `team:…`, `virtualaccount:…`; `team:everyone` and `*` are everybody. */
  subjects?: InNotIn;
  /** Budgets v2 ask for kinds apart: e-mails, team names, virtual account names. */
  users?: InNotIn;
  teams?: InNotIn;
  virtualAccounts?: InNotIn;
  /** Canonical model names. */
  models?: InNotIn;
  metadata?: Record<string, InNotIn>;
}

export interface InNotIn {
  in?: string[];
  notIn?: string[];
}

/** What a rule counts apart: one count for each user, model, … or `metadata.<key>`. */
export type GroupKey = 'user' | 'virtualaccount' | 'model' | `metadata.${string}`;
