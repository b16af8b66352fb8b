/** `header`: as `x-tfy-logging-config` of the request says, and `byDefault` where it says nothing. */
export type BodyLogging = { mode: 'always' } | { mode: 'never' } | { mode: 'header'; byDefault: boolean };

export interface LoggingRule {
  id: string;
  /** Absent: everybody. */
  subjects?: string[];
  /** As written: its last part is the name of a tracing project. */
  project?: string | undefined;
  /** Stands over the settings; `false` over `true`. */
  bodies?: boolean | undefined;
  redact: Redaction[];
}

/** A pattern of RE2 (rules/linear-pattern.ts), and what stands in the place of what it finds. */
export interface Redaction {
  pattern: string;
  replacement: string;
  /** Absent: none is known. */
  hint?: string | undefined;
}

export interface DataRoute {
  /** All must hold. */
  when: DataCondition[];
  /** Bodies go into the store of the gateway; else none are kept. */
  isOurs: boolean;
  retentionDays?: number | undefined;
}

/** One of the values, of that key of the metadata; without a key, of who asked. */
export interface DataCondition {
  key: string | undefined;
  values: string[];
}

export interface TracingProject {
  name: string;
  isOurs: boolean;
  retentionDays?: number | undefined;
}

export type DataKind = 'traces' | 'metrics';

export interface DataAccessRule {
  subjects: string[];
  dataKinds: DataKind[];
  scope: 'own' | 'team' | 'all';
  /** The filters of the scope `all`: all must hold. */
  filters: DataCondition[];
}

/** Holds a secret: never logged. */
export interface RequestLoggerHook {
  /** `account/integration`. */
  name: string;
  url: string;
  /** Value of the header `authorization`; absent: none is sent. */
  authorization?: string | undefined;
}
