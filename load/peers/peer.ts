/** What a scenario needs to know of whoever carries its requests. */
export type Subject = {
  name: string;
  /** e.g. `http://127.0.0.1:8787/v1` */
  baseUrl: string;
  /** Root of the process tree whose CPU and memory count; undefined: nobody stands between us and the mock. */
  pid: number | undefined;
  headers: Record<string, string>;
  modelName(mockModel: string): string;
  /** The name under which a model is asked of the mock in Anthropic's form; absent: the subject translates nothing. */
  translatedName?(mockModel: string): string;
  /** Answers must have exactly the mock's bytes; otherwise only status and completeness are checked. */
  relaysBytes: boolean;
  checksKeys: boolean;
  /** What a reader of the table should know, e.g. which policies were on. */
  notes: string[];
};

export type PeerContext = {
  mockUrl: string;
  /** Mock model names the run will use. */
  models: readonly string[];
  /** For configuration, data and logs; removed at the end of the run. */
  folder: string;
  threads: number;
};

export type Peer = {
  name: string;
  summary: string;
  start(context: PeerContext): Promise<Subject>;
};
