/** How an operator works on a subject while it serves. */
export type Operator = {
  /** Base of the operator port. */
  url: string;
  /** Writes a configuration with so many keys and rate rules beside the usual one, which the subject then loads. */
  reloadWith(more: { readonly keys: number; readonly rules: number }): void;
  /** What its start printed, which opens the console once; undefined: nothing. */
  consoleToken(): string | undefined;
  /** Writes all that the ledger holds to standard output. */
  exportCommand: { command: string; args: string[]; cwd: string; env: NodeJS.ProcessEnv };
};

/** Whose form the mock speaks beside OpenAI's. */
export const VENDORS = ['anthropic', 'gemini', 'bedrock'] as const;
export type Vendor = (typeof VENDORS)[number];

/** What a scenario needs to know of whoever carries its requests. */
export type Subject = {
  name: string;
  /** e.g. `http://127.0.0.1:8787/v1` */
  baseUrl: string;
  /** Root of the process tree whose CPU and memory count; undefined: nobody stands between us and the mock. */
  pid: number | undefined;
  headers: Record<string, string>;
  modelName(mockModel: string): string;
  /** The name under which a model is asked of the mock in the form of a vendor; absent: the subject translates nothing. */
  translatedName?(mockModel: string, vendor: Vendor): string;
  /** Address of the mock's MCP server behind it; absent: the subject is no gateway of MCP. */
  mcpUrl?: string;
  /** Answers must have exactly the mock's bytes; otherwise only status and completeness are checked. */
  relaysBytes: boolean;
  checksKeys: boolean;
  /** Absent: there is no operator port that the run may use. */
  operator?: Operator;
  /** Ports of its providers by name, where the gateway answers `storm/chat`; absent: it does not. */
  storm?: Readonly<Record<string, number>>;
  /** What a reader of the table should know, e.g. which policies were on. */
  notes: string[];
};

export type PeerContext = {
  mockUrl: string;
  /** Mock model names the run will use. */
  models: readonly string[];
  /** The folder of configuration, data and logs; it is removed at the end of the run. */
  folder: string;
  threads: number;
};

export type Peer = {
  name: string;
  summary: string;
  start(context: PeerContext): Promise<Subject>;
};
