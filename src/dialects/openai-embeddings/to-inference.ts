import { isArray } from '../../codec/json-value.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { EmbeddingInput, EmbeddingRequest } from '../../inference/embedding.ts';
import { others, parsedRequest } from '../openai-json/parsed-request.ts';
import { RequestReader } from '../openai-json/request-reader.ts';

const READ_KEYS: ReadonlySet<string> = new Set([
  'model',
  'input',
  'dimensions',
  'encoding_format',
  'input_type',
  'user',
]);
/** Cohere, Voyage and NVIDIA each have words of their own for the same two purposes. */
const INPUT_TYPES: ReadonlyMap<string, string> = new Map([
  ['search_query', 'query'],
  ['search_document', 'document'],
  ['passage', 'document'],
]);

/** The whole request, for a provider of another wire. */
export function toInference(body: Buffer, model: string): OrError<EmbeddingRequest> {
  const value = parsedRequest(body);
  if (value instanceof GatewayError) return value;
  const reader = new RequestReader();
  const encoding = reader.text(value['encoding_format'], 'encoding_format') ?? 'float';
  const inputType = reader.text(value['input_type'], 'input_type');
  const dimensions = reader.wholeNumber(value['dimensions'], 'dimensions');
  const user = reader.text(value['user'], 'user');
  if (encoding !== 'float' && encoding !== 'base64') reader.invalid('encoding_format', 'float or base64', encoding);
  const request: EmbeddingRequest = {
    model,
    inputs: inputsOf(reader, value['input']),
    ...(dimensions !== undefined && { dimensions }),
    encoding: encoding === 'base64' ? 'base64' : 'float',
    ...(inputType !== undefined && { inputType: INPUT_TYPES.get(inputType) ?? inputType }),
    ...(user !== undefined && { user }),
    extra: others(value, READ_KEYS),
  };
  return reader.fault ?? request;
}

function inputsOf(reader: RequestReader, input: unknown): EmbeddingInput[] {
  if (typeof input === 'string') return [textOf(reader, input, 'input')];
  if (!isArray(input) || input.length === 0) {
    reader.invalid('input', 'a text, a list of texts, or lists of tokens, and not empty', input);
    return [];
  }
  if (isTokens(input)) return [input];
  return input.map((each, index) => {
    if (isArray(each) && isTokens(each) && each.length > 0) return each;
    return textOf(reader, each, `input[${index}]`);
  });
}

function textOf(reader: RequestReader, value: unknown, param: string): string {
  if (typeof value === 'string' && value !== '') return value;
  reader.invalid(param, 'a text that is not empty, or a list of tokens', value);
  return '';
}

function isTokens(list: readonly unknown[]): list is readonly number[] {
  return list.every((each) => typeof each === 'number' && Number.isSafeInteger(each) && each >= 0);
}
