import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { canonicalJson } from '../codec/canonical-json.ts';
import type { RuledCache } from '../config/rules/caching.ts';
import type { Exchange } from '../core/exchange.ts';
import type { CachedForm, Dialect } from '../dialects/dialect.ts';
import type { Caller } from '../policy/caller.ts';
import type { Route } from '../routing/route-plan.ts';
import type { AnswerKey } from './shared-answers.ts';

/** Up to here a request is read for its key in less than the 5 ms that a neighbour may feel. */
export const MAX_KEYED_BYTES = 262_144;
const KEY_BYTES = 16;

export interface CacheKey {
  readonly words: AnswerKey;
  /** The same as text. */
  readonly text: string;
  /** The space of its namespace, whoever asks. */
  readonly space: readonly [number, number];
}

export interface KeyedRequest {
  readonly exchange: Pick<Exchange, 'body' | 'path' | 'headers'>;
  readonly dialect: Dialect;
  readonly route: Route;
  readonly caller: Caller;
  readonly strictForm: boolean;
  readonly settings: Pick<RuledCache, 'namespace' | 'sharedWith'>;
}

/** Client headers that say who asks. */
const ATTRIBUTION_HEADERS: ReadonlySet<string> = new Set(['http-referer', 'x-title', 'user-agent']);

/** Latin1; undefined: of this request no answer is cached. */
export function canonicalBody(body: Buffer, form: CachedForm): string | undefined {
  return canonicalJson(body, canonicalOptions(form));
}

/**
 * The key holds everything that changes the answer, so that equal keys may get equal bytes, and the principal unless
 * its rule shares. `body`: canonical.
 */
export function keyOf(request: KeyedRequest, body: string): CacheKey {
  const digest = hash('sha256', `${JSON.stringify(surroundingsOf(request))}\n${body}`, 'buffer');
  const words = Int32Array.from([0, 4, 8, 12], (at) => digest.readInt32LE(at));
  return { words, text: digest.toString('hex', 0, KEY_BYTES), space: spaceOf(request.settings.namespace) };
}

/** The key of an answer of that namespace of which the words alone are known. */
export function keyFrom(words: AnswerKey, space: readonly [number, number]): CacheKey {
  const bytes = Buffer.alloc(KEY_BYTES);
  words.forEach((word, index) => void bytes.writeInt32LE(word, 4 * index));
  return { words, text: bytes.toString('hex'), space };
}

/** Names a namespace where only its number is known; never turned back. */
export function spaceOf(namespace: string): readonly [number, number] {
  let space = spaces.get(namespace);
  if (space === undefined) {
    const digest = hash('sha256', namespace, 'buffer');
    space = [digest.readInt32LE(0), digest.readInt32LE(4)];
    // Clients choose names: the memory for them is bounded.
    if (spaces.size >= MAX_SPACES) spaces.clear();
    spaces.set(namespace, space);
  }
  return space;
}

const MAX_SPACES = 1_024;
const spaces = new Map<string, readonly [number, number]>();

/** Everything beside its body that the key of a request is made of. */
export function surroundingsOf(request: KeyedRequest): readonly (string | boolean)[] {
  const { exchange, dialect, route, caller, strictForm, settings } = request;
  const { query = '' } = exchange.headers;
  const scope = scopeOf(caller, settings.sharedWith);
  const parts = [dialect.name, exchange.path, query, routeText(route), scope, settings.namespace, strictForm];
  const headers = headersOf(exchange, dialect);
  return headers.length === 0 ? parts : [...parts, ...headers];
}

/** Whose answers these are: nobody else's unless a rule says so. */
function scopeOf({ principal, teams }: Caller, sharedWith: RuledCache['sharedWith']): string {
  if (sharedWith === 'everyone') return '*';
  const [team] = teams;
  return sharedWith === 'team' && team !== undefined ? `team:${team}` : principal.subject;
}

/** Versions and betas change answers, and which of them providers read only they know; who asks does not. */
function headersOf(
  { headers: { forwardable } }: KeyedRequest['exchange'],
  { metadataHeaders }: Dialect,
): readonly string[] {
  if (forwardable === undefined) return NO_HEADERS;
  return Object.keys(forwardable)
    .filter((name) => !ATTRIBUTION_HEADERS.has(name) && metadataHeaders?.[name] === undefined)
    .sort()
    .map((name) => `${name}: ${forwardable[name]}`);
}

const NO_HEADERS: readonly string[] = [];

const routeTexts = new WeakMap<Route, string>();

/** The model as it was resolved, and where it leads: a configuration that leads elsewhere finds none of these answers. */
function routeText(route: Route): string {
  let text = routeTexts.get(route);
  if (text === undefined) {
    const targets = route.targets.map(({ id, modelId, region, mounts }) => {
      const addresses = [...mounts.values()].flat().map(({ connection, basePath }) => connection.origin + basePath);
      return [id, modelId, region ?? '', ...new Set(addresses)];
    });
    text = hash('sha256', JSON.stringify([route.model, route.changes ?? '', targets]));
    routeTexts.set(route, text);
  }
  return text;
}

const optionsOf = new WeakMap<CachedForm, Parameters<typeof canonicalJson>[1]>();

function canonicalOptions(form: CachedForm): Parameters<typeof canonicalJson>[1] {
  let options = optionsOf.get(form);
  if (options === undefined) {
    // The model is told by its route.
    options = { ...form, leaveOut: new Set([...form.leaveOut, 'model']) };
    optionsOf.set(form, options);
  }
  return options;
}

/** Beginning of keys in Redis: of a namespace; undefined: of all. */
export function remotePrefix(space: readonly [number, number] | undefined): string {
  if (space === undefined) return 'sluice:answer:';
  const [first, second] = space;
  return `sluice:answer:${(first >>> 0).toString(16)}${(second >>> 0).toString(16).padStart(8, '0')}:`;
}
