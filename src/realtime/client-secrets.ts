import { randomBytes } from 'node:crypto';
import { type JsonObject, objectOf, parseObject } from '../codec/json-value.ts';
import { GatewayError } from '../core/errors.ts';
import type { HeadersOfInterest, OrError, Principal } from '../core/exchange.ts';
import type { PipelineOptions } from '../pipeline/pipeline-options.ts';
import { clientSettings } from '../policy/client-settings.ts';
import { requestMetadata } from '../policy/metadata.ts';
import type { RealtimeForm } from '../providers/realtime-form.ts';
import type { ClientSecretClaims } from '../store/token-claims.ts';
import { CLIENT_SECRET_AUDIENCE, TOKEN_ISSUER } from '../store/token-form.ts';
import { permittedRoute, serves } from './permitted-route.ts';

/** https://platform.openai.com/docs/api-reference/realtime-sessions/create-realtime-client-secret */
const SECONDS = { least: 10, most: 7_200, usual: 600 };
/** A secret stands in a header of the handshake with all that is in it. */
const MAX_CONFIG_BYTES = 4_096;

type SessionType = 'realtime' | 'transcription';

export interface SecretRequest {
  readonly pipeline: PipelineOptions;
  readonly principal: Principal;
  readonly headers: HeadersOfInterest;
  readonly body: Buffer;
  formOf(type: SessionType): RealtimeForm;
  /** Where the key that asks comes from, and its end. */
  readonly origin: { readonly from: ClientSecretClaims['key_from']; readonly expiresAtMs: number };
  readonly nowMs: number;
}

/** The claims to sign, and the answer but for the secret itself. */
export interface WantedSecret {
  readonly claims: ClientSecretClaims;
  readonly session: object;
}

/** What a secret for browsers is to be good for, if its caller may have such sessions. */
export function wantedSecret(request: SecretRequest): OrError<WantedSecret> {
  const body = request.body.length === 0 ? {} : parseObject(request.body.toString());
  if (body === undefined) return new GatewayError('invalid_json');
  const seconds = secondsOf(body['expires_after']);
  if (seconds instanceof GatewayError) return seconds;
  const session = objectOf(body['session'] ?? {});
  if (session === undefined) return invalid('session', 'It is an object, such as `{"type": "realtime", "model": …}`.');
  const { type = 'realtime' } = session;
  if (type !== 'realtime' && type !== 'transcription') {
    return invalid('session.type', 'It is `realtime` or `transcription`.');
  }
  const form = request.formOf(type);
  const { param, model } = form.modelIn(session);
  if (model === undefined || model === '') {
    return new GatewayError('missing_parameter', { param, detail: 'A secret is for one model.' });
  }
  const config = configOf(session, form);
  if (config instanceof GatewayError) return config;
  return permitted(request, { type, form, model, config, seconds });
}

interface Wish {
  readonly type: SessionType;
  readonly form: RealtimeForm;
  readonly model: string;
  readonly config: JsonObject | undefined;
  readonly seconds: number;
}

function permitted(
  { pipeline, principal, headers, origin, nowMs }: SecretRequest,
  { type, form, model, config, seconds }: Wish,
): OrError<WantedSecret> {
  const snapshot = pipeline.snapshot();
  const caller = snapshot.callers.of(principal);
  const client = clientSettings(headers);
  if (client instanceof GatewayError) return client;
  const metadata = requestMetadata(client.metadata, caller);
  const route = permittedRoute({ asked: { pipeline, form }, snapshot, caller, client, metadata }, model);
  if (route instanceof GatewayError) return route;
  const targets = route.targets.filter((target) => serves(target, form) && caller.allows(target.id));
  const issuedAt = Math.floor(nowMs / 1000);
  const endsAt = Math.floor(Math.min(nowMs + seconds * 1000, origin.expiresAtMs) / 1000);
  const { subject, keyId, teams } = principal;
  const claims: ClientSecretClaims = {
    iss: TOKEN_ISSUER,
    aud: CLIENT_SECRET_AUDIENCE,
    sub: subject,
    jti: randomBytes(12).toString('base64url'),
    iat: issuedAt,
    exp: endsAt,
    key_id: keyId,
    key_from: origin.from,
    teams: [...teams],
    metadata: { ...metadata },
    session: { model: route.model, targets: targets.map(({ id }) => id), type, ...(config && { config }) },
  };
  const named = type === 'realtime' ? { model } : {};
  const id = `sess_${randomBytes(12).toString('base64url')}`;
  const object = type === 'realtime' ? 'realtime.session' : 'realtime.transcription_session';
  return { claims, session: { id, object, type, ...named, ...config } };
}

function secondsOf(value: unknown): OrError<number> {
  if (value === undefined || value === null) return SECONDS.usual;
  const after = objectOf(value);
  if (after === undefined) return invalid('expires_after', 'It is an object, such as `{"seconds": 600}`.');
  const { anchor = 'created_at', seconds = SECONDS.usual } = after;
  if (anchor !== 'created_at') return invalid('expires_after.anchor', 'It is `created_at`.');
  const { least, most } = SECONDS;
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= least && seconds <= most) return seconds;
  return invalid('expires_after.seconds', `It is a whole number from ${least} to ${most}.`);
}

/** How the session begins; undefined: as its client says. */
function configOf(session: JsonObject, form: RealtimeForm): OrError<JsonObject | undefined> {
  const { type: _type, model: _model, ...config } = session;
  const refused = form.refusedParam(config);
  if (refused !== undefined) return invalid(`session.${refused}`, 'Realtime sessions have no such parameter.');
  if (Object.keys(config).length === 0) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes <= MAX_CONFIG_BYTES) return config;
  const detail = `It has ${bytes} bytes, and a secret holds ${MAX_CONFIG_BYTES} at most: say the rest with \`session.update\`.`;
  return invalid('session', detail);
}

function invalid(param: string, detail: string): GatewayError {
  return new GatewayError('invalid_parameter', { param, detail });
}
