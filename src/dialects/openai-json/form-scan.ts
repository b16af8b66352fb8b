import type { Edit } from '../../codec/key-rules.ts';
import { boundaryOf, type FormFault, MultipartScan, meansForm } from '../../codec/multipart.ts';
import { GatewayError } from '../../core/errors.ts';
import type { BodyScan, OrError } from '../../core/exchange.ts';
import type { FilePart, ReadForm } from '../../inference/form-part.ts';
import { editedBody } from './edited-body.ts';
import { MAX_MODEL_BYTES, missing, type NamedModel, wrong } from './request-scan.ts';

export const MODEL = 'model';
/** A field that is read by itself has a bound of its own. */
const MAX_WORD_BYTES = 512;
/** The bound of a text that is read whole, because the form is translated: prompts of images have up to 32,000 characters. */
const MAX_TEXT_BYTES = 131_072;

/** What the few values say that a form of files reads, however they came. */
export interface FormValues {
  word(name: string): string | undefined;
  flag(name: string): OrError<boolean>;
  count(name: string): OrError<number | undefined>;
}

/** A few parts of a multipart form, read as its bytes arrive; each method refuses what OpenAI refuses, by name. */
export class FormScan implements BodyScan {
  readonly #contentType: string | undefined;
  /** Absent: the content type is not that of a form. */
  readonly #scan: MultipartScan | undefined;

  constructor(contentType: string | undefined, wanted: ReadonlySet<string>) {
    this.#contentType = contentType;
    const boundary = boundaryOf(contentType);
    this.#scan = boundary === undefined ? undefined : new MultipartScan(boundary, wanted);
  }

  /** The bytes of all values that are no files. */
  get textBytes(): number {
    return this.#scan?.textBytes ?? 0;
  }

  advance(buffer: Buffer, end: number): void {
    this.#scan?.advance(buffer, end);
  }

  /** After the last byte: what is wrong with the body as a whole; undefined: nothing. */
  fault(body: Buffer): GatewayError | undefined {
    if (this.#scan === undefined) return noForm(this.#contentType);
    const fault = this.#scan.finish(body.length);
    return fault && fromFault(fault);
  }

  /** `otherwise`: where the form names none; undefined: it has to. */
  model(body: Buffer, otherwise?: string): OrError<NamedModel> {
    const part = this.#scan?.parts.get(MODEL);
    if (part === undefined) return otherwise === undefined ? missing(MODEL) : unnamed(otherwise, body.indexOf('--'));
    const { start: modelStart, end: modelEnd } = part;
    if (modelEnd - modelStart > MAX_MODEL_BYTES) return wrong(MODEL, 'It may have up to 256 characters.');
    return { model: body.toString('utf8', modelStart, modelEnd), modelStart, modelEnd };
  }

  /** All of it, after the last byte; for whoever sends it on in another form. */
  form(body: Buffer): ReadForm {
    const fields: [string, string][] = [];
    const files: FilePart[] = [];
    let tooLong: string | undefined;
    for (const { name, isFile, filename, mediaType, start, end } of this.#scan?.entries ?? []) {
      if (isFile) files.push({ name, filename, mediaType, start, end });
      else if (end - start > MAX_TEXT_BYTES) tooLong ??= name;
      else fields.push([name, body.toString('utf8', start, end)]);
    }
    return { boundary: boundaryOf(this.#contentType) ?? '', fields, files, tooLong };
  }

  /** Undefined where it is absent. */
  word(body: Buffer, name: string): string | undefined {
    const part = this.#scan?.parts.get(name);
    if (part === undefined) return undefined;
    return body.toString('utf8', part.start, Math.min(part.end, part.start + MAX_WORD_BYTES));
  }

  /** False where it is absent or empty. */
  flag(body: Buffer, name: string): OrError<boolean> {
    return flagOfWord(this.word(body, name), name);
  }

  /** Undefined where it is absent or empty. */
  count(body: Buffer, name: string): OrError<number | undefined> {
    return countOfWord(this.word(body, name), name);
  }
}

/** The fault of a content type that names no form. */
export function noForm(contentType: string | undefined): GatewayError {
  return new GatewayError('invalid_multipart', {
    param: 'content-type',
    detail: meansForm(contentType)
      ? 'Its content-type must be `multipart/form-data` with one boundary of 1 to 70 characters, in UTF-8.'
      : 'Its content-type must be `multipart/form-data; boundary=…`.',
  });
}

export function malformedForm(detail: string): GatewayError {
  return new GatewayError('invalid_multipart', { detail });
}

export function flagOfWord(said: string | undefined, name: string): OrError<boolean> {
  const word = said?.toLowerCase() ?? '';
  if (word === 'true' || word === '1') return true;
  return word === 'false' || word === '0' || word === '' ? false : wrong(name, 'It must be true or false.');
}

export function countOfWord(said: string | undefined, name: string): OrError<number | undefined> {
  if (said === undefined || said === '') return undefined;
  return /^[0-9]{1,9}$/.test(said) ? Number(said) : wrong(name, 'It must be a whole number.');
}

/** The form with these values: in the place of its own, or as parts in front of the others. Undefined: it is no form. */
export function overriddenForm(
  body: Buffer,
  params: Readonly<Record<string, unknown>>,
  contentType: string | undefined,
): Buffer | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const scan = new MultipartScan(boundary, new Set(Object.keys(params)));
  scan.advance(body, body.length);
  const edits: Edit[] = [];
  for (const [name, value] of Object.entries(params)) {
    const written = typeof value === 'string' ? value : JSON.stringify(value);
    const part = scan.parts.get(name);
    // Some forms begin with a line end.
    const start = part?.start ?? body.indexOf('--');
    edits.push({
      start,
      end: part?.end ?? start,
      bytes: Buffer.from(part ? written : partOf(boundary, name, written)),
    });
  }
  const edited = editedBody(
    body,
    edits.sort((one, other) => one.start - other.start),
  );
  return Buffer.isBuffer(edited) ? edited : Buffer.concat(edited);
}

/** The part, to stand in front of another one. */
export function partOf(boundary: string, name: string, value: string): string {
  return `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

/** Nothing to be replaced: the model is to be written at `at`, in front of the first boundary. */
export function unnamed(model: string, at: number): NamedModel {
  return { model, modelStart: at, modelEnd: at };
}

function fromFault(fault: FormFault): GatewayError {
  if (fault.kind === 'syntax') return malformedForm(`At byte ${fault.at}: ${fault.detail}.`);
  return ambiguousPart(fault);
}

/** A part that is looked for by name, and that readers may read in two ways. */
export function ambiguousPart({ kind, name }: Exclude<FormFault, { kind: 'syntax' }>): GatewayError {
  return new GatewayError('ambiguous_parameter', { param: name, detail: `The part \`${name}\` ${AMBIGUOUS[kind]}.` });
}

const AMBIGUOUS = {
  repeated: 'is repeated',
  case: 'is written in other letter case, or with blanks around it',
  file: 'is sent as a file, and must be a field',
  encoded: 'has a content-transfer-encoding, which not every reader decodes',
} as const;
