import { JsonPeek } from '../codec/json-peek.ts';
import { PeekKeys } from '../codec/peek-keys.ts';
import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Caller } from '../policy/caller.ts';
import type { ProviderAccount, Target } from '../providers/provider.ts';

/** A model as a request names it, and the bytes or characters that do so. */
interface Named {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** `/models/{id}:generateContent` of Google, `/model/{id}/converse` of Bedrock, `/deployments/{id}/…` of Azure. */
const IN_PATH = [
  /\/models\/(?<model>[^/]+):[A-Za-z]+$/d,
  /^\/model\/(?<model>[^/]+)\/[a-z-]+$/d,
  /\/deployments\/(?<model>[^/]+)\//d,
];
const KEYS = new PeekKeys(['model']);
/** 512 characters, each escaped. */
const MAX_MODEL_BYTES = 3_074;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** A provider that goes by it may read another model than the one that stands there in UTF-8. */
const OTHER_CHARSET = /;\s*charset\s*=(?!\s*"?(?:utf-?8|us-ascii)"?\s*(?:;|$))/i;

export function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && JSON_TYPE.test(contentType) && !OTHER_CHARSET.test(contentType);
}

/** What a raw request of an account is about, with the provider's own id in the place of ours. */
export interface RawRequest {
  /** Undefined: it names no model. */
  readonly target: Target | undefined;
  readonly path: string;
  readonly query: string;
  readonly body: Buffer | undefined;
}

/** Whose models they are, and who asks. */
export interface ModelsOf {
  readonly account: ProviderAccount;
  readonly caller: Caller;
  /** A model of an account that lists none, by its canonical id. */
  resolve(id: string): Target | undefined;
}

/**
 * Which model is asked, in path, query (`model`) and body. One that the account does not have is refused, and so is one that the caller
 * may not use: who may use only some models of an account cannot send what does not say its model.
 */
export function namedModel(
  of: ModelsOf,
  request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly body: Buffer | undefined;
  },
): OrError<RawRequest> {
  const { account, caller } = of;
  let { path, query, body } = request;
  const maySendAll = mayUseAll(account, caller);
  let target: Target | undefined;
  const inPath = modelInPath(request);
  if (inPath !== undefined) {
    const found = permitted(of, inPath.name);
    if (found instanceof GatewayError) return found;
    target = found;
    const written = encodeURIComponent(found.modelId);
    if (found.modelId !== inPath.name) path = path.slice(0, inPath.start) + written + path.slice(inPath.end);
  }
  for (const [index, pair] of query.split('&').entries()) {
    if (!pair.startsWith('model=')) continue;
    const written = decoded(pair.slice('model='.length));
    const found = permitted(of, written);
    if (found instanceof GatewayError) return found;
    target ??= found;
    if (found.modelId !== written)
      query = query
        .split('&')
        .with(index, `model=${encodeURIComponent(found.modelId)}`)
        .join('&');
  }
  const inBody = body === undefined || body.length === 0 ? undefined : modelInBody(body);
  if (inBody instanceof GatewayError) {
    // A body that is no JSON object names no model that a provider would read.
    if (!maySendAll || inBody.code === 'ambiguous_parameter') return inBody;
  } else if (inBody !== undefined && body !== undefined) {
    const found = permitted(of, inBody.name);
    if (found instanceof GatewayError) return found;
    target ??= found;
    if (found.modelId !== withoutKind(inBody.name)) {
      const id = Buffer.from(JSON.stringify(found.modelId));
      body = Buffer.concat([body.subarray(0, inBody.start), id, body.subarray(inBody.end)]);
    }
  }
  if (target === undefined && !maySendAll) {
    return new GatewayError('model_forbidden', {
      param: 'model',
      detail: `\`${caller.principal.subject}\` may use some models of \`${account.name}\` only, and this request does not say which it asks: neither its path nor \`model\` of a JSON body does.`,
      target: `${account.name}/*`,
    });
  }
  return { target, path, query, body };
}

/** All that it lists, and whatever else there may be. No model has the name `*`. */
function mayUseAll({ name, listed }: ProviderAccount, caller: Caller): boolean {
  return caller.allows(`${name}/*`) && listed.every(({ id }) => caller.allows(id));
}

/** Google writes `models/` before its ids. */
function withoutKind(name: string): string {
  return name.startsWith('models/') ? name.slice('models/'.length) : name;
}

function permitted({ account, caller, resolve }: ModelsOf, written: string): OrError<Target> {
  const name = withoutKind(written);
  const bare = name.startsWith(`${account.name}/`) ? name.slice(account.name.length + 1) : name;
  const known =
    account.listed.length > 0
      ? account.listed.filter(({ id, modelId }) => id === `${account.name}/${bare}` || modelId === name)
      : [resolve(`${account.name}/${bare}`)].filter((each) => each !== undefined);
  const allowed = known.find(({ id }) => caller.allows(id));
  if (allowed !== undefined) return allowed;
  const [first] = known;
  if (first === undefined) {
    const detail = `\`${name.slice(0, MAX_TOLD)}\` is no model of \`${account.name}\`.`;
    return new GatewayError('model_not_found', { param: 'model', detail });
  }
  return new GatewayError('model_forbidden', {
    param: 'model',
    detail: `\`${caller.principal.subject}\` may not use \`${first.id}\`.`,
    target: first.id,
  });
}

const MAX_TOLD = 256;

function modelInPath({ method, path }: { method: string; path: string }): Named | undefined {
  if (method !== 'POST') return undefined;
  for (const pattern of IN_PATH) {
    const place = pattern.exec(path)?.indices?.groups?.['model'];
    if (place === undefined) continue;
    const [start, end] = place;
    return { name: decodeURIComponent(path.slice(start, end)), start, end };
  }
  return undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray `%`: it stands for itself, and names no model.
    return text;
  }
}

function modelInBody(body: Buffer): OrError<Named | undefined> {
  const peek = new JsonPeek(KEYS);
  peek.advance(body, body.length);
  if (!peek.finish()) {
    const { fault } = peek;
    const detail = `At byte ${fault?.at}: it is no JSON object that is read in one way.`;
    const isAmbiguous = fault !== undefined && fault.kind !== 'syntax' && fault.kind !== 'depth';
    return new GatewayError(isAmbiguous ? 'ambiguous_parameter' : 'invalid_json', {
      detail,
      ...(isAmbiguous && { param: 'model' }),
    });
  }
  const start = peek.starts[0]!;
  const end = peek.ends[0]!;
  if (start < 0) return undefined;
  const name = end - start > MAX_MODEL_BYTES ? undefined : stringIn(body, start, end);
  return name === undefined
    ? new GatewayError('invalid_parameter', { param: 'model', detail: '`model` has to be a string.' })
    : { name, start, end };
}

function stringIn(body: Buffer, start: number, end: number): string | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8', start, end));
    return typeof value === 'string' ? value : undefined;
  } catch {
    // Not valid JSON: refused as what is no string.
    return undefined;
  }
}
