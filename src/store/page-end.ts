/** The last row of the page before, of rows that are told newest first, then by their ids. */
export interface PageEnd {
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly id: string;
}
