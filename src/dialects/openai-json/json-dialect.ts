import { type JsonObject, objectOf } from '../../codec/json-value.ts';
import type { Edit } from '../../codec/key-rules.ts';
import { PeekKeys } from '../../codec/peek-keys.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Operation } from '../../inference/operation.ts';
import type { PromptText } from '../../inference/sampled-text.ts';
import type { AnswerForm, VectorForm } from '../answer-form.ts';
import type { Dialect, DialectTranslation, FormName, PeekedRequest, RequestScan, SpliceEdits } from '../dialect.ts';
import type { GuardedForm } from '../guarded-form.ts';
import { editedBody, quoted } from './edited-body.ts';
import { errorBody, errorEvent } from './error-body.ts';
import { guarded } from './guarded.ts';
import { jsonAnswers } from './json-answers.ts';
import { JsonRequestScan, missing, type NamedModel } from './request-scan.ts';

const OPEN_BRACE = 0x7b;

export interface JsonForm {
  readonly name: FormName;
  readonly operation: Operation;
  readonly patterns: readonly string[];
  /** Keys without which OpenAI refuses a request, besides `model`. */
  readonly required: readonly string[];
  /** The key that says how many results are asked for; absent: what is generated is not counted in choices. */
  readonly choicesKey?: string;
  /** What its requests say beyond `model`, read from these keys. */
  readonly more?: {
    readonly keys: readonly string[];
    /** `first`: the index of the first of the keys in the scan. */
    read(scan: JsonRequestScan, body: Buffer, first: number): OrError<Partial<PeekedRequest>>;
  };
  /** Small values of its answers that tell of usage, besides `usage`. */
  readonly answerKeys?: readonly string[];
  readonly vectors?: VectorForm;
  /** Asked where the client names no model; absent: it has to. */
  readonly defaultModel?: string;
  readonly openapi: NonNullable<Dialect['openapi']>;
  /** Absent: as most such forms have their words. */
  readonly guarded?: GuardedForm;
  /** Absent: one JSON object each. */
  readonly answers?: AnswerForm;
  promptText(body: JsonObject): PromptText;
  readonly translation?: DialectTranslation;
}

interface PeekedJson extends PeekedRequest, NamedModel {
  readonly model: string;
}

/** A form whose requests are one JSON object each, as its answers are by default. No text is generated. */
export function jsonDialect(form: JsonForm): Dialect {
  const { vectors } = form;
  const keys = keysOf(form);
  return {
    name: form.name,
    operation: form.operation,
    routes: form.patterns.map((pattern) => ({ method: 'POST', pattern })),
    openapi: form.openapi,
    usageParameter: undefined,
    scan: () => new JsonScan(keys, form),
    splice: (body, peeked: PeekedJson, { modelId }: SpliceEdits) => editedBody(body, [jsonModelEdit(peeked, modelId)]),
    answers: { ...(form.answers ?? jsonAnswers(form.answerKeys)), ...(vectors && { vectors }) },
    promptText: (body) => form.promptText(objectOf(body) ?? {}),
    // Nothing of the answer is text that was generated.
    answerText: () => undefined,
    guarded: form.guarded ?? guarded,
    errorBody,
    errorEvent,
    cached: { leaveOut: ['user'], unfinished: [] },
    ...(form.translation && { translation: form.translation }),
  };
}

/** As much of a form as its scan needs. */
type ScannedForm = Pick<JsonForm, 'required' | 'choicesKey' | 'more' | 'defaultModel'>;

export function keysOf({ required, choicesKey, more }: ScannedForm): PeekKeys {
  return new PeekKeys(['model', ...required, ...(choicesKey === undefined ? [] : [choicesKey]), ...(more?.keys ?? [])]);
}

export class JsonScan implements RequestScan {
  readonly #scan: JsonRequestScan;
  readonly #form: ScannedForm;

  constructor(keys: PeekKeys, form: ScannedForm) {
    this.#scan = new JsonRequestScan(keys);
    this.#form = form;
  }

  advance(buffer: Buffer, end: number): void {
    this.#scan.advance(buffer, end);
  }

  result(body: Buffer): OrError<PeekedJson> {
    const scan = this.#scan;
    const fault = scan.fault();
    if (fault) return fault;
    const { required, choicesKey, more, defaultModel } = this.#form;
    const named = scan.starts[0]! < 0 && defaultModel !== undefined ? unnamed(body, defaultModel) : scan.model(body, 0);
    if (named instanceof GatewayError) return named;
    const absent = required.find((_, index) => scan.starts[index + 1]! < 0);
    if (absent !== undefined) return missing(absent);
    const choices = choicesKey === undefined ? 0 : scan.count(body, required.length + 1);
    if (choices instanceof GatewayError) return choices;
    const first = required.length + (choicesKey === undefined ? 1 : 2);
    const told = more?.read(scan, body, first);
    if (told instanceof GatewayError) return told;
    return { ...named, stream: false, includeUsage: false, maxOutputTokens: 0, choices: choices ?? 1, ...told };
  }
}

/** Nothing to be replaced: the model is to be written behind the opening brace. */
function unnamed(body: Buffer, model: string): NamedModel {
  const at = body.indexOf(OPEN_BRACE) + 1;
  return { model, modelStart: at, modelEnd: at };
}

export function jsonModelEdit(
  { modelStart: start, modelEnd: end }: Pick<NamedModel, 'modelStart' | 'modelEnd'>,
  modelId: string,
): Edit {
  if (end > start) return { start, end, bytes: quoted(modelId) };
  // A required key follows it.
  return { start, end, bytes: Buffer.from(`"model":${JSON.stringify(modelId)},`) };
}
