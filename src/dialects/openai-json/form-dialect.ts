import { meansForm } from '../../codec/multipart.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ReadForm } from '../../inference/form-part.ts';
import type { NeutralRequest } from '../../inference/neutral-request.ts';
import type { Operation } from '../../inference/operation.ts';
import type { AnswerForm } from '../answer-form.ts';
import type {
  Dialect,
  DialectTranslation,
  FormName,
  PeekedRequest,
  RequestScan,
  ScannedRequest,
  SpliceEdits,
  UploadScan,
} from '../dialect.ts';
import { ArrivingForm } from './arriving-form.ts';
import { editedBody, quoted } from './edited-body.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { FormScan, type FormValues, overriddenForm } from './form-scan.ts';
import { JsonScan, keysOf } from './json-dialect.ts';
import type { JsonRequestScan, NamedModel } from './request-scan.ts';

export interface FilesForm {
  readonly name: FormName;
  readonly operation: Operation;
  readonly pattern: string;
  /** Values that it reads, besides `model`. */
  readonly keys: readonly string[];
  peek(values: FormValues): OrError<Partial<PeekedRequest>>;
  readonly answers: AnswerForm;
  /** Its requests may be JSON as well, with files named by their addresses. */
  readonly orJson: boolean;
  /** Its files may be large: a form is not collected, but read as it arrives. */
  readonly uploads?: true;
  readonly translation?: Omit<DialectTranslation, 'fromForm'> & {
    fromForm(form: ReadForm, model: string): OrError<NeutralRequest>;
  };
}

interface PeekedForm extends PeekedRequest, NamedModel {
  readonly model: string;
  /** Undefined: it is JSON. */
  readonly form: ReadForm | undefined;
}

/** A form whose requests bring files, as `multipart/form-data`. They are passed on as they are, but for the model's name. */
export function formDialect(form: FilesForm): Dialect {
  const { translation } = form;
  const wanted = new Set(['model', ...form.keys]);
  const asJson = { required: [], more: { keys: form.keys, read: jsonPeek(form) } };
  const jsonKeys = keysOf(asJson);
  return {
    name: form.name,
    operation: form.operation,
    routes: [{ method: 'POST', pattern: form.pattern }],
    usageParameter: undefined,
    scan: ({ headers: { contentType } }) =>
      form.orJson && !meansForm(contentType)
        ? new JsonScan(jsonKeys, asJson)
        : new FilesScan(new FormScan(contentType, wanted), form),
    splice: (body, { modelStart, modelEnd, form: read }: PeekedForm, { modelId }: SpliceEdits) =>
      editedBody(body, [
        { start: modelStart, end: modelEnd, bytes: read === undefined ? quoted(modelId) : Buffer.from(modelId) },
      ]),
    ...(form.uploads && {
      uploads: ({ headers: { contentType } }: ScannedRequest) =>
        new FormUpload(new ArrivingForm(contentType, wanted), form),
      pieces: ({ modelStart, modelEnd }: PeekedForm, { modelId }: SpliceEdits, length: number) => [
        { start: 0, end: modelStart },
        Buffer.from(modelId),
        { start: modelEnd, end: length },
      ],
    }),
    overridden: (body, params, { headers: { contentType } }) => overriddenForm(body, params, contentType),
    answers: form.answers,
    promptText: () => ({ text: '', extraTokens: 0, scale: 1 }),
    // Nothing of the answer is text that is billed by its length.
    answerText: () => undefined,
    errorBody,
    errorEvent,
    ...(translation && {
      translation: {
        ...translation,
        fromForm: ({ form: read }: PeekedForm, model: string) =>
          read === undefined ? undefined : (whole(read) ?? translation.fromForm(read, model)),
      },
    }),
  };
}

function whole({ tooLong }: ReadForm): GatewayError | undefined {
  if (tooLong === undefined) return undefined;
  return new GatewayError('invalid_parameter', { param: tooLong, detail: `\`${tooLong}\` is too long.` });
}

function jsonPeek({ keys, peek }: FilesForm) {
  return (scan: JsonRequestScan, body: Buffer, first: number): OrError<Partial<PeekedForm>> => {
    const said = peek({
      word: (name) => scan.word(body, first + keys.indexOf(name)),
      flag: (name) => scan.flag(body, first + keys.indexOf(name)),
      count: (name) => scan.count(body, first + keys.indexOf(name)),
    });
    return said instanceof GatewayError ? said : { ...said, form: undefined };
  };
}

class FilesScan implements RequestScan {
  readonly #scan: FormScan;
  readonly #form: FilesForm;

  constructor(scan: FormScan, form: FilesForm) {
    this.#scan = scan;
    this.#form = form;
  }

  advance(buffer: Buffer, end: number): void {
    this.#scan.advance(buffer, end);
  }

  result(body: Buffer): OrError<PeekedForm> {
    const scan = this.#scan;
    const fault = scan.fault(body);
    if (fault) return fault;
    const named = scan.model(body);
    if (named instanceof GatewayError) return named;
    const said = this.#form.peek({
      word: (name) => scan.word(body, name),
      flag: (name) => scan.flag(body, name),
      count: (name) => scan.count(body, name),
    });
    if (said instanceof GatewayError) return said;
    return { ...PLAIN, ...named, promptBytes: scan.textBytes, ...said, form: scan.form(body) };
  }
}

class FormUpload implements UploadScan {
  readonly #arriving: ArrivingForm;
  readonly #form: FilesForm;

  constructor(arriving: ArrivingForm, form: FilesForm) {
    this.#arriving = arriving;
    this.#form = form;
  }

  get fault(): GatewayError | undefined {
    return this.#arriving.fault;
  }

  /** Its file is on its way, and whom it goes to is known. */
  get mayBegin(): boolean {
    const { isInFile } = this.#arriving;
    return isInFile && !(this.#arriving.model() instanceof GatewayError);
  }

  take(bytes: Uint8Array): void {
    this.#arriving.take(bytes);
  }

  finish(): void {
    this.#arriving.finish();
  }

  result(): OrError<PeekedForm> {
    const arriving = this.#arriving;
    if (arriving.fault) return arriving.fault;
    const named = arriving.model();
    if (named instanceof GatewayError) return named;
    const said = this.#form.peek(arriving);
    if (said instanceof GatewayError) return said;
    return { ...PLAIN, ...named, promptBytes: arriving.textBytes, ...said, form: arriving.form };
  }
}

const PLAIN = { stream: false, includeUsage: false, maxOutputTokens: 0, choices: 1 };
