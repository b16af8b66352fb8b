/**
 * The chunk law: however a stream is cut, what is read from it is the same. Gives the cuttings to try: whole, byte by
 * byte, in sevens, and in two at every place (at `mostCuts` places of a long one).
 */
export function* cuttings(bytes: Buffer, mostCuts = 400): Generator<Buffer[]> {
  yield [bytes];
  yield pieces(bytes, 1);
  yield pieces(bytes, 7);
  const step = Math.max(1, Math.floor(bytes.length / mostCuts));
  for (let at = 1; at < bytes.length; at += step) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

export function pieces(bytes: Buffer, size: number): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) list.push(bytes.subarray(at, at + size));
  return list;
}
