/**
 * When content came, for the latencies of the record. No clock per piece: that cost a fifth of a stream (bench:
 * pipeline). The sweep and the end date what came before: at most SWEEP_MS late, exact where the answer ended well.
 */
export class ContentTimes {
  /** performance.now(); 0 while nothing came. */
  firstAt = 0;
  lastAt = 0;
  pieces = 0;
  #dated = 0;

  came(pieces: number): void {
    if (this.pieces === 0) this.firstAt = performance.now();
    this.pieces += pieces;
  }

  date(at: number): void {
    if (this.#dated === this.pieces) return;
    this.#dated = this.pieces;
    this.lastAt = at;
  }
}
