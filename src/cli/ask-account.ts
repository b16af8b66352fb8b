import { cut, didYouMean, type PathSegment } from '../config/fault.ts';
import { GatewayError } from '../core/errors.ts';
import type { HttpAnswer } from '../core/http-client.ts';
import { nearNames } from '../core/near-names.ts';
import type { Mount, Probe, Target } from '../providers/provider.ts';
import { connectWords } from '../upstream/connect-fault.ts';
import type { Connectors } from '../upstream/connector.ts';
import { oneRequest } from '../upstream/one-request.ts';
import { plural } from './plural.ts';

/** The longest list of models that is known has some 700 KB. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** One address with one credential, and the models that are behind it. */
export interface Place {
  readonly account: string;
  readonly mount: Mount;
  readonly target: Target;
  readonly probe: Probe | undefined;
  /** With their number among the account's integrations. */
  readonly listed: readonly { readonly modelId: string; readonly index: number }[];
}

export interface Said {
  readonly path: readonly PathSegment[];
  readonly message: string;
  readonly found?: string;
  readonly remedy?: string | undefined;
}

export interface Finding {
  /** The text that the table shows. */
  readonly credential: string;
  readonly models: string;
  readonly faults: Said[];
  readonly warnings: Said[];
}

/** Asks for the list of models, and for each that is not on it. */
export async function askPlace(place: Place, connectors: Connectors, timeoutMs: number): Promise<Finding> {
  const { probe, listed } = place;
  if (probe === undefined) return notAsked('there is nothing cheap to ask this provider for, so it was not asked');
  const ask = (path: string) => get(path, place, connectors, timeoutMs);
  const answer = await ask(probe.path);
  if (typeof answer === 'string') return refused(answer, 'away');
  if (answer instanceof GatewayError) return refused(answer.message);
  const unfit = notAnswered(answer, place, probe);
  if (unfit) return unfit;
  if (probe.modelIds === undefined) return { credential: 'works', models: 'not asked', faults: [], warnings: [] };
  const known = probe.modelIds(jsonOf(answer.body));
  if (known === undefined) {
    const said = `its provider answered ${shown(place, probe)} with something that is no list of models`;
    return { ...refused(said, 'unknown', ['base_url']), models: 'not asked' };
  }
  if (listed.length === 0) {
    return { credential: 'works', models: `any; it lists ${known.length}`, faults: [], warnings: [] };
  }
  const ids = new Set(known);
  const missing: Said[] = [];
  const unsure: Said[] = [];
  for (const model of listed) {
    if (ids.has(model.modelId)) continue;
    const single = probe.modelPath ? await ask(probe.modelPath(model.modelId)) : undefined;
    const status = typeof single === 'object' && 'body' in single ? single.status : undefined;
    if (status !== undefined && status >= 200 && status < 300) continue;
    const path = ['integrations', model.index, 'model_id'];
    const remedy = didYouMean(nearNames(model.modelId, known));
    const found = `\`${cut(model.modelId)}\``;
    if (status === 404 || single === undefined)
      missing.push({ path, message: 'its provider has no such model', found, remedy });
    else
      unsure.push({
        path,
        message: 'its provider does not list this model, and does not say that there is none',
        found,
        remedy,
      });
  }
  const there = listed.length - missing.length - unsure.length;
  const models = `${there} of ${plural(listed.length, 'model')} there`;
  return { credential: 'works', models, faults: missing, warnings: unsure };
}

/** What an answer other than a list says of the credential; undefined: it is a list. */
function notAnswered(answer: HttpAnswer, place: Place, probe: Probe): Finding | undefined {
  const { status, body, headers } = answer;
  if (status >= 200 && status < 300) return undefined;
  const asked = shown(place, probe);
  if (status === 404 || status === 405 || status === 501) {
    return notAsked(`its provider answered ${status} to ${asked}: it has no such list, or the address is not its base`);
  }
  if (status >= 300 && status < 400) {
    return refused(
      `its provider sends on to ${originOf(headers['location'])} (${status}): write that address`,
      'unknown',
      ['base_url'],
    );
  }
  if (status === 403 && probe.mayNotList?.(body.toString('utf8'))) {
    const warning = `its credential works and may not list models, so none was looked for (${asked})`;
    return { ...notAsked(warning), credential: 'works' };
  }
  const error = place.mount.wire.toError(status, body, place.target);
  const words = error.context.operatorDetail ?? `The provider answered ${status}: ${error.context.detail ?? ''}`;
  if (status === 429) {
    return {
      ...notAsked(`its provider limits the rate now, and neither accepted nor refused: ${words}`),
      credential: 'unknown',
    };
  }
  if (status >= 500) return refused(`its provider fails: ${words}`, 'unknown', []);
  return refused(`its provider refuses the credential: ${words}`);
}

export function refused(
  message: string,
  credential = 'refused',
  path: readonly PathSegment[] = ['auth_data'],
): Finding {
  return {
    credential,
    models: 'not asked',
    faults: [{ path: credential === 'away' ? [] : path, message }],
    warnings: [],
  };
}

function notAsked(message: string): Finding {
  return { credential: 'not asked', models: 'not asked', faults: [], warnings: [{ path: [], message }] };
}

/** An answer, why there is none (in words without secrets), or why nothing could be signed. */
async function get(
  path: string,
  { mount, probe }: Place,
  connectors: Connectors,
  timeoutMs: number,
): Promise<HttpAnswer | string | GatewayError> {
  const { credential, headers } = mount;
  const { origin, basePath } = baseOf(mount, probe);
  const connection = { ...mount.connection, origin };
  const asked = { method: 'GET', origin, path: basePath + path, headers } as const;
  const signed = credential.sign({ ...asked, body: undefined });
  if (signed instanceof GatewayError) return signed;
  const all = [...headers, ...signed, 'accept', 'application/json', 'accept-encoding', 'identity'];
  try {
    return await oneRequest(connectors, {
      connection,
      path: asked.path,
      headers: all,
      timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
    });
  } catch (error) {
    // Whatever failed is told to the person who asked.
    return `its provider cannot be reached: ${credential.redact(reasonOf(error))}`;
  }
}

/** The reason of a failure; where several addresses failed there is a code and no words. OpenSSL's words have lines. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  return connectWords(code) ?? (error.message.trim().replaceAll(/\s+/g, ' ') || String(code ?? error.name));
}

function shown({ mount }: Place, probe: Probe): string {
  return `GET ${baseOf(mount, probe).basePath}${probe.path}`;
}

function baseOf({ connection, basePath: mounted }: Mount, probe: Probe | undefined) {
  const { origin, pathname } = new URL(probe?.base?.(connection.origin + mounted) ?? connection.origin + mounted);
  return { origin, basePath: pathname.replace(/\/$/, '') };
}

function originOf(location: string | string[] | undefined): string {
  const to = Array.isArray(location) ? location[0] : location;
  return to !== undefined && URL.canParse(to) ? new URL(to).origin : 'elsewhere';
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // An HTML page, say: no list of models.
    return undefined;
  }
}
