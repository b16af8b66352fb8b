import { isArray } from '../../codec/json-value.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ExpectedPages } from '../../inference/ocr.ts';
import { type JsonRequestScan, parsed, wrong } from '../openai-json/request-scan.ts';

/** Where the keys stand among those of the form: `model`, `document`, then these. */
const DOCUMENT = 1;
const PAGES = 2;
const ANNOTATIONS = [3, 4];
const OPEN_BRACE = 0x7b;
const NULL = 0x6e;
/** A longer list names more pages than anybody reads of one document. */
const MAX_PAGES_BYTES = 16_384;
/** Clients write the type of a document, or the key that tells it, in front of its bytes. */
const BEGINNING_BYTES = 64;
const RANGE = /^(\d{1,6})(?:-(\d{1,6}))?$/;

/** How many pages a request can be billed for, as far as it says so itself. */
export function expectedPages(scan: JsonRequestScan, body: Buffer): OrError<ExpectedPages> {
  const { starts, ends } = scan;
  const document = starts[DOCUMENT]!;
  if (body[document] !== OPEN_BRACE) {
    return wrong('document', 'It must be an object with a `type`: `document_url`, `image_url` or `file`.');
  }
  const beginning = body.toString('latin1', document, Math.min(ends[DOCUMENT]!, document + BEGINNING_BYTES));
  return {
    most: beginning.includes('"image_url"') ? 1 : named(body, starts[PAGES]!, ends[PAGES]!),
    annotated: ANNOTATIONS.some((key) => starts[key]! >= 0 && body[starts[key]!] !== NULL),
  };
}

/** `[0, 1, 2]`, `"0-2,5"`, or a list of both; undefined: all pages, or what only the provider understands. */
function named(body: Buffer, start: number, end: number): number | undefined {
  if (start < 0 || end - start > MAX_PAGES_BYTES) return undefined;
  const value = parsed(body, start, end);
  const entries = isArray(value) ? value : [value];
  let pages = 0;
  for (const entry of entries) {
    const count = typeof entry === 'number' ? 1 : typeof entry === 'string' ? inRanges(entry) : undefined;
    if (count === undefined) return undefined;
    pages += count;
  }
  return pages > 0 ? pages : undefined;
}

function inRanges(written: string): number | undefined {
  let pages = 0;
  for (const each of written.split(',')) {
    const range = RANGE.exec(each.trim());
    if (range === null) return undefined;
    const first = Number(range[1]);
    pages += Math.max(1, Number(range[2] ?? first) - first + 1);
  }
  return pages;
}
