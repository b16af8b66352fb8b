import { boundaryOf, type PartHead } from '../../codec/multipart.ts';
import { MultipartStream } from '../../codec/multipart-stream.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { FilePart, ReadForm } from '../../inference/form-part.ts';
import {
  ambiguousPart,
  countOfWord,
  type FormValues,
  flagOfWord,
  MODEL,
  malformedForm,
  noForm,
  unnamed,
} from './form-scan.ts';
import { MAX_MODEL_BYTES, missing, type NamedModel, wrong } from './request-scan.ts';

const CR = 0x0d;
/** The bound of all texts together: they are kept, while files pass. */
const MAX_TEXTS_BYTES = 1_048_576;

/** A form whose files are not kept, read as it arrives. It is as strict as FormScan. */
export class ArrivingForm implements FormValues {
  fault: GatewayError | undefined;
  /** A part that is a file has begun. */
  isInFile = false;
  readonly #boundary: string;
  readonly #stream: MultipartStream | undefined;
  readonly #wanted: ReadonlySet<string>;
  readonly #fields: { name: string; value: string; start: number; end: number }[] = [];
  readonly #files: FilePart[] = [];
  #part: PartHead | undefined;
  #start = 0;
  #pieces: Buffer[] = [];
  #textBytes = 0;
  /** Where the first boundary begins, once it came: some forms begin with a line end. */
  #firstAt = -1;

  constructor(contentType: string | undefined, wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
    const boundary = boundaryOf(contentType);
    this.#boundary = boundary ?? '';
    if (boundary === undefined) this.fault = noForm(contentType);
    else {
      this.#stream = new MultipartStream(boundary, {
        part: (head, at) => this.#begin(head, at),
        data: (bytes) => this.#data(bytes),
        partEnd: (at) => this.#end(at),
      });
    }
  }

  /** The bytes may be changed afterwards. */
  take(bytes: Uint8Array): void {
    if (this.fault !== undefined) return;
    if (this.#firstAt < 0 && bytes.length > 0) this.#firstAt = bytes[0] === CR ? 2 : 0;
    this.#stream?.take(bytes);
    const told = this.#stream?.fault;
    if (told !== undefined) this.fault ??= malformedForm(`${told}.`);
  }

  /** After the last byte. */
  finish(): void {
    const told = this.fault === undefined ? this.#stream?.finish() : undefined;
    if (told !== undefined) this.fault = malformedForm(`${told}.`);
  }

  get textBytes(): number {
    return this.#textBytes;
  }

  /** As far as it came. */
  get form(): ReadForm {
    const fields = this.#fields.map(({ name, value }) => [name, value] as const);
    return { boundary: this.#boundary, fields, files: this.#files, tooLong: undefined };
  }

  /** `otherwise`: where the form names none; undefined: it has to. */
  model(otherwise?: string): OrError<NamedModel> {
    const field = this.#fields.find(({ name }) => name === MODEL);
    if (field === undefined) return otherwise === undefined ? missing(MODEL) : unnamed(otherwise, this.#firstAt);
    const { value: model, start: modelStart, end: modelEnd } = field;
    if (modelEnd - modelStart > MAX_MODEL_BYTES) return wrong(MODEL, 'It may have up to 256 characters.');
    return { model, modelStart, modelEnd };
  }

  word(name: string): string | undefined {
    return this.#fields.find((field) => field.name === name)?.value;
  }

  flag(name: string): OrError<boolean> {
    return flagOfWord(this.word(name), name);
  }

  count(name: string): OrError<number | undefined> {
    return countOfWord(this.word(name), name);
  }

  #begin(part: PartHead, at: number): boolean {
    this.#part = part;
    this.#start = at;
    this.#pieces = [];
    if (part.isFile) this.isInFile = true;
    const { name, isFile, isEncoded } = part;
    const lower = name.trim().toLowerCase();
    if (!this.#wanted.has(lower)) return true;
    const kind =
      lower !== name
        ? 'case'
        : this.#fields.some((field) => field.name === name)
          ? 'repeated'
          : isFile
            ? 'file'
            : isEncoded
              ? 'encoded'
              : undefined;
    if (kind !== undefined) this.fault = ambiguousPart({ kind, name: lower });
    return kind === undefined;
  }

  #data(bytes: Buffer): boolean {
    if (this.#part?.isFile) return true;
    this.#textBytes += bytes.length;
    if (this.#textBytes > MAX_TEXTS_BYTES) {
      const param = this.#part?.name ?? '';
      this.fault = new GatewayError('invalid_parameter', { param, detail: `\`${param}\` is too long.` });
      return false;
    }
    this.#pieces.push(Buffer.from(bytes));
    return true;
  }

  #end(end: number): boolean {
    const { name, isFile, filename, mediaType } = this.#part!;
    const start = this.#start;
    if (isFile) this.#files.push({ name, filename, mediaType, start, end });
    else this.#fields.push({ name, value: Buffer.concat(this.#pieces).toString('utf8'), start, end });
    this.isInFile = false;
    return true;
  }
}
