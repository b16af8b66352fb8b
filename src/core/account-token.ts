/**
 * A short-lived credential of an account: fetched on the main thread ahead of its end, known to every relay thread.
 * Plain data, since it crosses threads. A secret: never logged.
 */
export interface AccountToken {
  /** The id of the token's source. */
  readonly id: string;
  /** By the source's own names: `{token}` of OAuth, `{accessKeyId, secretAccessKey, sessionToken}` of AWS. */
  readonly values: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}
