import type { Edit } from '../../codec/key-rules.ts';
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
  SpliceEdits,
  UploadScan,
} from '../dialect.ts';
import type { GuardedForm } from '../guarded-form.ts';
import { ArrivingForm } from './arriving-form.ts';
import { editedBody } from './edited-body.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { FormScan, type FormValues, MODEL, overriddenForm, partOf } from './form-scan.ts';
import { guarded } from './guarded.ts';
import { JsonScan, jsonModelEdit, keysOf } from './json-dialect.ts';
import type { JsonRequestScan, NamedModel } from './request-scan.ts';

export interface FilesForm {
  readonly name: FormName;
  readonly operation: Operation;
  readonly pattern: string;
  /** Values that it reads, besides `model`. */
  readonly keys: readonly string[];
  peek(values: FormValues): OrError<Partial<PeekedRequest>>;
  readonly answers: AnswerForm;
  /** Fields with words of the client: read by guards, and refused where they are repeated. Absent: there are none. */
  readonly words?: readonly string[];
  /** Where words stand in its answers; absent: they have none. */
  readonly guardedAnswers?: Pick<GuardedForm, 'answer' | 'stream' | 'isPlain'>;
  /**
   * The keys without which OpenAI refuses a request as JSON, whose files are named by their addresses. It is collected.
   * Absent: there are forms alone.
   */
  readonly jsonRequires?: readonly string[];
  /** Asked where the client names no model; absent: it has to. */
  readonly defaultModel?: string;
  readonly openapi: NonNullable<Dialect['openapi']>;
  readonly translation?: Omit<DialectTranslation, 'fromForm'> & {
    fromForm(form: ReadForm, model: string): OrError<NeutralRequest>;
  };
}

interface PeekedForm extends PeekedRequest, NamedModel {
  readonly model: string;
  /** Undefined: it is JSON. */
  readonly form: ReadForm | undefined;
}

/**
 * A form whose requests bring files, as `multipart/form-data`. They are passed on as they are, but for the model's name, and
 * not collected: the files may be large.
 */
export function formDialect(form: FilesForm): Dialect {
  const { translation, defaultModel, jsonRequires, words = [] } = form;
  const wanted = new Set(['model', ...form.keys, ...words]);
  const asJson = {
    required: jsonRequires ?? [],
    more: { keys: form.keys, read: jsonPeek(form) },
    ...(defaultModel !== undefined && { defaultModel }),
  };
  const jsonKeys = keysOf(asJson);
  return {
    name: form.name,
    operation: form.operation,
    routes: [{ method: 'POST', pattern: form.pattern }],
    openapi: form.openapi,
    usageParameter: undefined,
    scan: ({ headers: { contentType } }) =>
      jsonRequires && !meansForm(contentType)
        ? new JsonScan(jsonKeys, asJson)
        : new FilesScan(new FormScan(contentType, wanted), form),
    splice: (body, peeked: PeekedForm, { modelId }: SpliceEdits) => editedBody(body, [modelEdit(peeked, modelId)]),
    uploads: {
      takes: (contentType) => !jsonRequires || meansForm(contentType),
      scan: ({ headers: { contentType } }) => new FormUpload(new ArrivingForm(contentType, wanted), form),
    },
    pieces: (peeked: PeekedForm, { modelId }, length) => {
      const { start, end, bytes } = modelEdit(peeked, modelId);
      return [{ start: 0, end: start }, bytes, { start: end, end: length }];
    },
    overridden: (body, params, { headers: { contentType } }) => overriddenForm(body, params, contentType),
    answers: form.answers,
    ...(words.length > 0 && {
      guarded: { ...guarded, ...form.guardedAnswers },
      formTexts: ({ form: read }: PeekedForm) =>
        read && (whole(read) ?? Object.fromEntries(read.fields.filter(([name]) => words.includes(name)))),
    }),
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

/** In a form without a model it becomes the first part. */
function modelEdit({ modelStart: start, modelEnd: end, form }: PeekedForm, modelId: string): Edit {
  if (form === undefined) return jsonModelEdit({ modelStart: start, modelEnd: end }, modelId);
  return { start, end, bytes: Buffer.from(end > start ? modelId : partOf(form.boundary, MODEL, modelId)) };
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
    const named = scan.model(body, this.#form.defaultModel);
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

  /** Its file is on its way, and whom it goes to is known. A form that names no model may still name one behind it. */
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
    const named = arriving.model(this.#form.defaultModel);
    if (named instanceof GatewayError) return named;
    const said = this.#form.peek(arriving);
    if (said instanceof GatewayError) return said;
    return { ...PLAIN, ...named, promptBytes: arriving.textBytes, ...said, form: arriving.form };
  }
}

const PLAIN = { stream: false, includeUsage: false, maxOutputTokens: 0, choices: 1 };
