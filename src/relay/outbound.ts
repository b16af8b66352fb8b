import type { ServerSettings } from '../config/server/server-settings.ts';
import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError, SpooledBody, UploadSource } from '../core/exchange.ts';
import type { BodyEnvelope, Dialect, PeekedRequest } from '../dialects/dialect.ts';
import type { CacheMarker } from '../inference/cache-marker.ts';
import type { Envelope, Mount, Target } from '../providers/provider.ts';
import type { Step, StepOverrides } from '../routing/route-plan.ts';
import type { OutboundRequest } from '../upstream/attempt.ts';
import { requestHeaders } from '../upstream/forward-headers.ts';
import { asksUsage } from './asks-usage.ts';
import { mountFor, passesRequest } from './choose-mount.ts';
import type { FetchedMedia, MediaFetcher } from './media-by-address.ts';
import { type HeavyTranslator, type TranslatedRequest, toProvider, translateRequest } from './request-translation.ts';
import { overriddenHeaders } from './step-overrides.ts';

/** One authorised request to one target. Each attempt has its own, since a signature holds for a moment. */
export interface Outbound extends OutboundRequest {
  /** The mount that it is sent to. */
  readonly mount: Mount;
  readonly body: Buffer | Buffer[] | UploadSource;
  /** Further requests of the same kind, where the client asks for more than the provider takes at once. */
  readonly more?: readonly OutboundRequest[];
  /** How many inputs each of them but the last has. */
  readonly partInputs?: number;
  /** The gateway asks for usage, and the client did not. */
  readonly asksUsage: boolean;
  onBodySent: (() => void) | undefined;
}

export function wholeBody(body: Buffer | Buffer[] | UploadSource): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (Array.isArray(body)) return Buffer.concat(body);
  throw new Error('a body on the disk is read before it is asked for whole');
}

/** The client's request as a step sends it. */
export interface AskedRequest {
  readonly headers: HeadersOfInterest;
  readonly body: Buffer;
  /** In the place of the body. */
  readonly spooled?: SpooledBody | undefined;
  readonly peeked: PeekedRequest;
  /** The cache marker of a translated request. */
  readonly cacheMarker: CacheMarker | undefined;
  /** Fetches for a translated request that names images or files by address; absent: nothing is fetched. */
  readonly fetchMedia?: MediaFetcher | undefined;
}

/** The client's request in the provider's form: spliced where they speak the same, else translated. */
export function outbound(
  asked: AskedRequest,
  dialect: Dialect,
  { target, overrides }: Step,
  translateHeavy: HeavyTranslator,
  abandoned: { readonly signal: AbortSignal },
): OrError<Outbound> | Promise<OrError<Outbound>> {
  const { body, spooled, peeked, fetchMedia } = asked;
  const mount = mountFor(target, dialect);
  if (mount === undefined) return new GatewayError('unsupported_operation', { target: target.id });
  const { wire } = mount;
  if (passesRequest(wire, dialect, peeked)) {
    const { modelId, abilities, rules } = target;
    const askUsage = asksUsage(dialect, peeked, target);
    const envelope = wire.envelope?.requests && wrapping(wire.envelope.requests, asked.headers);
    const edits = { modelId, askUsage, developerAsSystem: !abilities.developerRole, rules, envelope };
    const spliced =
      spooled?.length === undefined
        ? dialect.splice(body, peeked, edits)
        : spooled.source(dialect.pieces!(peeked, edits, spooled.length));
    if (spliced instanceof GatewayError) return spliced;
    return authorised(asked, target, mount, overrides, { body: spliced, headers: NO_HEADERS, asksUsage: askUsage });
  }
  const finish = (made: OrError<TranslatedRequest>): OrError<Outbound> => {
    if (made instanceof GatewayError) return made;
    const { headers, more = [], partInputs = 0 } = made;
    const whole =
      (Buffer.isBuffer(made.body) ? wire.translation?.adapted?.(made.body, target) : undefined) ?? made.body;
    if (whole instanceof GatewayError) return whole;
    const first = authorised(asked, target, mount, overrides, { ...made, body: whole, asksUsage: false });
    if (first instanceof GatewayError || more.length === 0) return first;
    const others: OutboundRequest[] = [];
    for (const part of more) {
      const other = authorised(asked, target, mount, overrides, { body: part, headers, asksUsage: false });
      if (other instanceof GatewayError) return other;
      others.push(other);
    }
    return { ...first, more: others, partInputs };
  };
  const translation = wire.translation!;
  const read = dialect.translation!.fromForm?.(peeked, target.modelId);
  if (read !== undefined) {
    return finish(read instanceof GatewayError ? read : toProvider(read, translation, target, spooled ?? body));
  }
  const translate = (media?: FetchedMedia): OrError<TranslatedRequest> | Promise<OrError<TranslatedRequest>> => {
    const request = { ...asked, media };
    if (body.length + bytesOf(media) <= INLINE_BYTES) {
      return translateRequest(dialect.translation!, translation, target, request);
    }
    const { id, modelId, knownAs, region } = target;
    const to = { id, modelId, knownAs, ...(region !== undefined && { region }) };
    return translateHeavy(dialect, wire, to, request, abandoned.signal);
  };
  const made = translate();
  if (!(made instanceof Promise) && !isUnfetched(made)) return finish(made);
  return withMedia(Promise.resolve(made), translate, fetchMedia, abandoned).then(finish);
}

function bytesOf(media: FetchedMedia | undefined): number {
  let bytes = 0;
  if (media) for (const file of media.values()) bytes += file.bytes.length;
  return bytes;
}

function isUnfetched(made: OrError<TranslatedRequest>): made is GatewayError {
  return made instanceof GatewayError && made.context.wanted !== undefined;
}

/** Translates again with the files that the request names by address, once they are fetched. */
async function withMedia(
  first: Promise<OrError<TranslatedRequest>>,
  translate: (media: FetchedMedia) => OrError<TranslatedRequest> | Promise<OrError<TranslatedRequest>>,
  fetchMedia: MediaFetcher | undefined,
  abandoned: { readonly signal: AbortSignal },
): Promise<OrError<TranslatedRequest>> {
  const made = await first;
  if (!isUnfetched(made) || fetchMedia === undefined) return made;
  const media = await fetchMedia(made.context.wanted ?? [], abandoned.signal);
  return media instanceof GatewayError ? media : translate(media);
}

/** Whether a body can be sent on while it still arrives: its length is known, and it passes as it is. */
export function mayStream(dialect: Dialect, { target, overrides }: Step, { length }: SpooledBody): boolean {
  const isPassed = mountFor(target, dialect)?.wire.name === dialect.name;
  return length !== undefined && isPassed && overrides?.params === undefined && target.local === undefined;
}

function wrapping(
  { without, pairs }: NonNullable<Envelope['requests']>,
  { forwardable = NOTHING }: HeadersOfInterest,
): BodyEnvelope {
  return { without, pairs: pairs(forwardable) };
}

interface SentRequest {
  readonly body: Buffer | Buffer[] | UploadSource;
  /** What this request needs beyond the mount's headers. */
  readonly headers: readonly string[];
  readonly path?: string | undefined;
  readonly asksUsage: boolean;
}

function authorised(
  asked: AskedRequest,
  target: Target,
  mount: Mount,
  overrides: StepOverrides | undefined,
  { body, headers: extra, path, asksUsage: askedUsage }: SentRequest,
): OrError<Outbound> {
  const { wire, connection, credential } = mount;
  const { peeked } = asked;
  // Answered inside the process: nobody reads headers.
  let headers = target.local ? [] : requestHeaders(asked.headers, peeked, mount);
  for (const each of extra) headers.push(each);
  // Before they are signed.
  if (overrides?.headers) headers = overriddenHeaders(headers, overrides.headers);
  const request: Outbound = {
    mount,
    origin: connection.origin,
    path: path === undefined ? mount.path(target, peeked) : mount.basePath + path,
    method: wire.method,
    headers,
    body,
    asksUsage: askedUsage,
    onBodySent: undefined,
  };
  const signed = credential.sign(request);
  if (signed instanceof GatewayError) return signed;
  for (let at = 0; at < signed.length; at += 2) {
    const name = signed[at]!;
    // A step may bring a credential of its own.
    if (overrides?.headers === undefined || !overrides.headers.set[name]) headers.push(name, signed[at + 1]!);
  }
  return request;
}

const NO_HEADERS: readonly string[] = [];
const NOTHING: Readonly<Record<string, string>> = {};

/** Up to here a translation takes less than the 5 ms that a neighbour may feel; the crossing itself is 0.1 ms. */
const INLINE_BYTES = 262_144;

/** No connection is free, and too many requests wait for one. */
export function queueFull({ limits }: ServerSettings): GatewayError {
  const { maxUpstreamConnections, maxUpstreamQueue } = limits;
  return new GatewayError('upstream_queue_full', {
    setting: `limits.max_upstream_connections: ${maxUpstreamConnections}, limits.max_upstream_queue: ${maxUpstreamQueue}`,
    retryAfterMs: 1000,
  });
}
