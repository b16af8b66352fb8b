import { parseExact } from '../../codec/exact-json.ts';
import { isArray, isObject, parseObject, stringOf } from '../../codec/json-value.ts';
import type { Edit } from '../../codec/key-rules.ts';
import type { Part } from '../../inference/request.ts';
import { CARRIED_MARK, splitCarryingId } from '../../inference/signature.ts';

/*
 * `encrypted_content` of a reasoning item is the one field that every client of this form sends back as it was. Here it
 * carries what the vendor who reasoned wants to see again: the signature of the block, or the block that it hides.
 */

/** No provider's own begins so: theirs are base64, which has no `.`. */
const PROOF_MARK = 'sluice.1.';
const MARKS = [Buffer.from(PROOF_MARK), Buffer.from(CARRIED_MARK)];

/** One block of reasoning as its vendor wants it back. */
export type Proof = { readonly text: string; readonly signature: string } | { readonly data: string };

export function encryptedContent(proof: Proof): string {
  return PROOF_MARK + Buffer.from(JSON.stringify(proof)).toString('base64url');
}

/** What a compaction item of ours carries. */
export function carriedSummary(summary: string): string {
  return PROOF_MARK + Buffer.from(JSON.stringify({ summary })).toString('base64url');
}

/** The summary that it stands for, as a model is told it; undefined: it is a provider's own. */
export function summaryIn(encrypted: string | undefined): string | undefined {
  const summary = summaryOf(encrypted);
  return summary === undefined ? undefined : `Summary of the conversation so far:\n\n${summary}`;
}

function summaryOf(encrypted: string | undefined): string | undefined {
  if (!encrypted?.startsWith(PROOF_MARK)) return undefined;
  const carried = parseObject(Buffer.from(encrypted.slice(PROOF_MARK.length), 'base64url').toString());
  return stringOf(carried?.['summary']);
}

/** The words of a compaction item of ours, as `summary` that can be set to others; undefined: it carries none. */
export function openedSummary(item: Record<string, unknown>): { summary: string } | undefined {
  const read = (): string | undefined => summaryOf(stringOf(item['encrypted_content']));
  if (!read()) return undefined;
  return {
    get summary(): string {
      return read() ?? '';
    },
    set summary(text: string) {
      item['encrypted_content'] = carriedSummary(text);
    },
  };
}

/** The block that it stands for; undefined: it is a provider's own. */
export function proofIn(encrypted: string | undefined): Part | undefined {
  if (!encrypted?.startsWith(PROOF_MARK)) return undefined;
  const proof = parseObject(Buffer.from(encrypted.slice(PROOF_MARK.length), 'base64url').toString());
  const [text, signature, data] = [proof?.['text'], proof?.['signature'], proof?.['data']].map(stringOf);
  if (text !== undefined && signature !== undefined) return { type: 'reasoning', text, signature };
  return data === undefined ? undefined : { type: 'redacted-reasoning', data };
}

/**
 * The edits that take what we carried for other vendors out of the input at body[start, end): a provider of this form
 * refuses reasoning that it did not encrypt, and long ids of calls. Where nothing is carried this is two native searches.
 */
export function foreignEdits(body: Buffer, start: number, end: number): Edit[] {
  const stands = MARKS.some((mark) => {
    const at = body.indexOf(mark, start);
    return at >= 0 && at < end;
  });
  if (!stands) return [];
  const input = parsedInput(body.toString('utf8', start, end));
  if (!isArray(input)) return [];
  return [
    { start, end, bytes: Buffer.from(JSON.stringify(input.map(withSummary).filter(isOwn).map(withoutSignature))) },
  ];
}

function parsedInput(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    // Its provider refuses it in its own words.
    return undefined;
  }
}

/** Any provider can read a message. */
function withSummary(item: unknown): unknown {
  if (!isObject(item) || item['type'] !== 'compaction') return item;
  const text = summaryIn(stringOf(item['encrypted_content']));
  return text === undefined ? item : { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

function isOwn(item: unknown): boolean {
  return !isObject(item) || !stringOf(item['encrypted_content'])?.startsWith(PROOF_MARK);
}

function withoutSignature(item: unknown): unknown {
  const id = isObject(item) ? stringOf(item['call_id']) : undefined;
  return isObject(item) && id !== undefined ? { ...item, call_id: splitCarryingId(id).id } : item;
}
