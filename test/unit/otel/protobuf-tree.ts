/** Protobuf without its schema: numbers of fields, and of each what was written, in order. */
export type Tree = [field: number, value: bigint | string][];

/** Length-delimited values in hex: what they hold is for whoever knows the schema. */
export function protobufTree(bytes: Buffer): Tree {
  const tree: Tree = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [field, wireType] = [tag >>> 3, tag & 7];
    if (wireType === 0) tree.push([field, varint()]);
    else if (wireType === 1) {
      tree.push([field, bytes.readBigUInt64LE(at)]);
      at += 8;
    } else if (wireType === 5) {
      tree.push([field, BigInt(bytes.readUInt32LE(at))]);
      at += 4;
    } else {
      const length = Number(varint());
      tree.push([field, bytes.toString('hex', at, at + length)]);
      at += length;
    }
  }
  return tree;
}

/** The values of one field, in order. */
export function fieldsOf(bytes: Buffer, ...path: number[]): Buffer[] {
  let level = [bytes];
  for (const number of path) {
    level = level.flatMap((one) =>
      protobufTree(one).flatMap(([field, value]) =>
        field === number && typeof value === 'string' ? [Buffer.from(value, 'hex')] : [],
      ),
    );
  }
  return level;
}
