import type { PartHead } from '../codec/multipart.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';

/** What a file may be uploaded for. https://platform.openai.com/docs/api-reference/files/create */
const PURPOSES = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const;
export type Purpose = (typeof PURPOSES)[number];

const FIELDS = ['purpose', 'expires_after[anchor]', 'expires_after[seconds]'] as const;
type Field = (typeof FIELDS)[number];

const MAX_FIELD_BYTES = 256;
const MAX_FILENAME_CHARACTERS = 255;
/** An hour to thirty days. */
const EXPIRES_SECONDS = { least: 3_600, most: 2_592_000 };

export interface FormFields {
  readonly purpose: Purpose;
  readonly expiresAfterMs: number | undefined;
}

/** The parts of an upload beside the bytes of its file. */
export class UploadForm {
  /** Undefined: the part with the file has not begun. */
  filename: string | undefined;
  readonly #texts = new Map<Field, string>();
  #part: 'file' | 'ignored' | Field = 'ignored';
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** A part begins: whether it is the file. */
  begin({ name, isFile, filename, isEncoded }: PartHead): OrError<boolean> {
    if (isEncoded) return invalid(name, 'It has a content-transfer-encoding, which is not decoded.');
    if (name === 'file') {
      if (!isFile) return invalid(name, 'It has to be a file: its content-disposition needs a filename.');
      if (this.filename !== undefined) return new GatewayError('ambiguous_parameter', { param: name });
      this.filename = filenameOf(filename ?? '');
      this.#part = 'file';
      return true;
    }
    if (isFile) return invalid(name, 'The one file of an upload is the part `file`.');
    const field = FIELDS.find((each) => each === name);
    if (field !== undefined && this.#texts.has(field)) return new GatewayError('ambiguous_parameter', { param: field });
    this.#part = field ?? 'ignored';
    return false;
  }

  get isInFile(): boolean {
    return this.#part === 'file';
  }

  /** Takes a part that is no file; its bytes may be changed afterwards. */
  text(bytes: Buffer): GatewayError | undefined {
    if (this.#part === 'ignored') return undefined;
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_FIELD_BYTES) return invalid(this.#part, `It is longer than ${MAX_FIELD_BYTES} bytes.`);
    this.#pieces.push(Buffer.from(bytes));
    return undefined;
  }

  partEnd(): void {
    if (this.#part !== 'file' && this.#part !== 'ignored') {
      this.#texts.set(this.#part, Buffer.concat(this.#pieces).toString());
    }
    this.#part = 'ignored';
    this.#pieces = [];
    this.#bytes = 0;
  }

  /** After the last part. */
  fields(): OrError<FormFields> {
    if (this.filename === undefined) return new GatewayError('missing_parameter', { param: 'file' });
    const written = this.#texts.get('purpose');
    if (written === undefined) return new GatewayError('missing_parameter', { param: 'purpose' });
    const purpose = PURPOSES.find((each) => each === written);
    if (purpose === undefined) return invalid('purpose', `It may be ${PURPOSES.join(', ')}.`);
    const expiresAfterMs = this.#expiresAfterMs();
    return expiresAfterMs instanceof GatewayError ? expiresAfterMs : { purpose, expiresAfterMs };
  }

  #expiresAfterMs(): OrError<number | undefined> {
    const anchor = this.#texts.get('expires_after[anchor]');
    const seconds = this.#texts.get('expires_after[seconds]');
    if (anchor === undefined && seconds === undefined) return undefined;
    if (anchor !== 'created_at') return invalid('expires_after[anchor]', 'It has to be created_at.');
    const { least, most } = EXPIRES_SECONDS;
    const value = /^\d{1,9}$/.test(seconds ?? '') ? Number(seconds) : Number.NaN;
    if (!(value >= least && value <= most)) {
      return invalid('expires_after[seconds]', `It has to be a whole number from ${least} to ${most}.`);
    }
    return value * 1000;
  }
}

function invalid(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param: param.slice(0, 64), detail });
}

/** A label, which no path is ever made of: without folders, control characters and what browsers escape. */
function filenameOf(written: string): string {
  const plain = written
    .replace(/%(22|0d|0a)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/^.*[/\\]/s, '')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '_')
    .toWellFormed();
  const characters = [...plain].slice(0, MAX_FILENAME_CHARACTERS).join('');
  return characters === '' ? 'file' : characters;
}
