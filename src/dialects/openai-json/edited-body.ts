import type { Edit } from '../../codec/key-rules.ts';

/** Larger bodies are handed on in pieces instead of being copied: 20 MB would stop the loop for milliseconds. */
const COPY_AT_MOST = 65_536;

/** The body with these edits, which stand in order. The pieces of a large body refer to `body`. */
export function editedBody(body: Buffer, edits: readonly Edit[]): Buffer | Buffer[] {
  return body.length > COPY_AT_MOST ? pieces(body, edits) : copied(body, edits);
}

const quotedIds = new Map<string, Buffer>();
const MAX_QUOTED = 1_000;

/** The id as a JSON string; few ids are asked for again and again. */
export function quoted(modelId: string): Buffer {
  let bytes = quotedIds.get(modelId);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(modelId));
    if (quotedIds.size >= MAX_QUOTED) quotedIds.clear();
    quotedIds.set(modelId, bytes);
  }
  return bytes;
}

function copied(body: Buffer, edits: readonly Edit[]): Buffer {
  let length = body.length;
  for (const edit of edits) length += edit.bytes.length - (edit.end - edit.start);
  const out = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for (const edit of edits) {
    to += body.copy(out, to, from, edit.start);
    to += edit.bytes.copy(out, to);
    from = edit.end;
  }
  body.copy(out, to, from);
  return out;
}

function pieces(body: Buffer, edits: readonly Edit[]): Buffer[] {
  const out: Buffer[] = [];
  let from = 0;
  for (const edit of edits) {
    if (edit.start > from) out.push(body.subarray(from, edit.start));
    out.push(edit.bytes);
    from = edit.end;
  }
  out.push(body.subarray(from));
  return out;
}
