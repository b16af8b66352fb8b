/** A request body, or what is left of a large one: enough to estimate its tokens from. */
export interface Prompt {
  /** All of it, or its beginning. */
  readonly head: Buffer;
  /** Its end, where `head` is not all of it. */
  readonly tail: Buffer | undefined;
  /** The bytes of the whole body. */
  readonly bytes: number;
}

/** At most `mostBytes` of the body, half from each end, by reference. */
export function promptOf(body: Buffer, mostBytes: number): Prompt {
  if (body.length <= mostBytes) return { head: body, tail: undefined, bytes: body.length };
  const half = mostBytes >> 1;
  return { head: body.subarray(0, half), tail: body.subarray(body.length - half), bytes: body.length };
}

/** The same as copies, so that the body itself can go. */
export function promptSample(body: Buffer, mostBytes: number): Prompt {
  const { head, tail, bytes } = promptOf(body, mostBytes);
  return { head: Buffer.from(head), tail: tail && Buffer.from(tail), bytes };
}
