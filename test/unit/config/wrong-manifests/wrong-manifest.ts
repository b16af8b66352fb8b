/** A manifest as somebody mistypes it, and every line that `sluice check` prints of it: what is wrong, where, what is allowed. */
export interface WrongManifest {
  readonly wrong: string;
  /** Line by line. */
  readonly manifest: readonly string[];
  /** Faults first, then warnings; the file is `a.yaml`. */
  readonly prints: readonly string[];
}
