import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { ConsoleSettings } from '../../config/server/console.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Journey } from '../../sign-in/journeys.ts';
import { readJsonBody } from '../admin/json-body.ts';
import { type Answer, CLOSE, JSON_TYPE, refusal, refusalOf } from '../answer.ts';
import { GuessLimit } from './guess-limit.ts';
import type { RemoteSides } from './remote-sides.ts';
import { originOf } from './same-origin.ts';
import { sessionCookie, sessionIdOf } from './session-cookie.ts';
import { isSecret, nameOf, type Session, type SessionOwner, type Sessions, type Standing } from './sessions.ts';
import type { StartToken } from './start-token.ts';

export interface ConsoleDoorOptions {
  readonly sessions: Sessions;
  settings(): ConsoleSettings;
  now(): number;
  /** Absent: nobody signs in but by `startToken`. */
  readonly adminKey?: string | undefined;
  readonly startToken?: StartToken | undefined;
  /** Finds the principal of a key of the gateway; `address`: 4 or 16 bytes of the caller. */
  ownerOf(key: string, address: ArrayBuffer): Promise<OrError<SessionOwner>>;
  /** Undefined: none is configured. */
  readonly oidc?: OidcDoor | undefined;
  /** The caller. */
  readonly sides: RemoteSides;
  /** Somebody signed in or out. */
  tell(event: SessionEvent): void;
  /** Somebody was not let in, or a page of another site asked. */
  tellRefusal(refusal: Refusal): void;
}

export interface SessionEvent {
  readonly action: 'sign-in' | 'sign-out';
  readonly actor: string;
  readonly by: SessionOwner['by'];
  readonly role: Standing['role'];
}

/** What came of a try to come in, or to change something from another site. */
export interface Refusal {
  /** The person, where that is known. */
  readonly actor: string | undefined;
  /** How they came: by a key or token, by an identity provider, with a session, or with the admin key as a bearer. */
  readonly by: 'sign-in' | 'identity-provider' | 'session' | 'bearer';
  readonly action: string;
  /** The path of the route, and nothing that the caller wrote. */
  readonly path: string;
  readonly error: GatewayError;
  /** The address of who asked, as text. */
  readonly address: string;
}

/** Sign-in with an identity provider. */
export interface OidcDoor {
  readonly isOffered: boolean;
  /** The address of the provider to send the browser to, and a cookie that binds it to this browser. */
  begin(request: IncomingMessage): Promise<OrError<{ readonly location: string; readonly cookie: string }>>;
  /** The way that this browser comes back from, once; it asks nobody. */
  cameBack(request: IncomingMessage, query: URLSearchParams): OrError<Journey>;
  /** The person who came back, as the provider says. */
  finish(journey: Journey, query: URLSearchParams): Promise<OrError<SessionOwner>>;
}

export interface SignedIn {
  readonly session: Session;
  readonly standing: Standing;
}

const SESSION = '/console/session';
const CALLBACK = '/console/sign-in/oidc/callback';
const MAX_BODY_BYTES = 16_384;
const signInSchema = z.union([
  z.strictObject({ key: z.string().min(1) }),
  z.strictObject({ token: z.string().min(1).max(256) }),
]);

/** `/console/session` and `/console/sign-in/…`: who signs in to the console, and out. */
export class ConsoleDoor {
  readonly #options: ConsoleDoorOptions;
  readonly #guesses: GuessLimit;

  constructor(options: ConsoleDoorOptions) {
    this.#options = options;
    this.#guesses = new GuessLimit(options.sides, options.now);
  }

  /** Undefined: the path is none of these. */
  async answer(request: IncomingMessage, path: string, search: string): Promise<Answer | undefined> {
    const { method } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    switch (path) {
      case SESSION:
        if (isRead) return this.#shown(this.signedIn(request));
        if (method === 'POST') return this.#signIn(request);
        if (method === 'DELETE') return this.#signOut(request);
        return refusal('method_not_allowed', { ...CLOSE, allow: 'GET, HEAD, POST, DELETE' });
      case '/console/sign-in/oidc':
      case CALLBACK:
        if (!isRead) return refusal('method_not_allowed', { ...CLOSE, allow: 'GET, HEAD' });
        return path === CALLBACK ? this.#comeBack(request, search) : this.#leave(request);
      default:
        return undefined;
    }
  }

  /** `ended`: the browser has a session that is none any more. */
  signedIn(request: IncomingMessage): SignedIn | 'ended' | undefined {
    const id = sessionIdOf(request, this.#options.settings().publicUrl);
    return id === undefined ? undefined : (this.#options.sessions.use(id) ?? 'ended');
  }

  /** Why a session may not be used for this request; undefined: it may. */
  refusesOrigin(request: IncomingMessage, { csrf }: Session): GatewayError | undefined {
    const { method, headers } = request;
    const origin = originOf(request, this.#options.settings().publicUrl);
    if (origin === 'foreign') return new GatewayError('cross_site_refused');
    if (method === 'GET' || method === 'HEAD') return undefined;
    if (origin === 'unknown') {
      const detail = 'It has neither `origin` nor `sec-fetch-site`.';
      return new GatewayError('cross_site_refused', { detail });
    }
    const presented = headers['x-csrf-token'];
    if (typeof presented === 'string' && isSecret(presented, csrf)) return undefined;
    const detail =
      presented === undefined ? 'It has no `x-csrf-token`.' : 'Its `x-csrf-token` is that of another session.';
    return new GatewayError('cross_site_refused', { detail });
  }

  async #signIn(request: IncomingMessage): Promise<Answer> {
    const refuse = (error: GatewayError, owner?: SessionOwner): Answer => {
      this.#tellRefusal(request, { by: 'sign-in', path: SESSION, error, owner });
      return refusalOf(error, CLOSE);
    };
    const { publicUrl } = this.#options.settings();
    // Somebody else's page must not sign this browser in as whom it likes.
    if (originOf(request, publicUrl) === 'foreign') return refuse(new GatewayError('cross_site_refused'));
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
      const detail = 'A sign-in is JSON, with `content-type: application/json`.';
      return refusalOf(new GatewayError('invalid_parameter', { param: 'content-type', detail }), CLOSE);
    }
    const body = await readJsonBody(request, MAX_BODY_BYTES);
    if (body instanceof GatewayError) return refusalOf(body, CLOSE);
    // A right key is let in whoever guesses: what is wrong counts, and only then.
    const owner = await this.#ownerOf(body.value, request);
    if (owner instanceof GatewayError) {
      const isWrong = owner.status === 401;
      return refuse(isWrong && !this.#guesses.failed(request) ? tooMany() : owner);
    }
    const opened = this.#open(request, owner);
    if (opened instanceof GatewayError) return refuse(opened, owner);
    return this.#shown(opened.signedIn, { 'set-cookie': opened.cookie });
  }

  async #ownerOf(body: unknown, request: IncomingMessage): Promise<OrError<SessionOwner>> {
    const { adminKey, startToken, ownerOf, sides } = this.#options;
    const read = signInSchema.safeParse(body);
    if (!read.success) {
      const detail = 'It is `{"key": "…"}`, or `{"token": "…"}`.';
      return new GatewayError('invalid_parameter', { param: 'body', detail });
    }
    if ('token' in read.data) {
      if (startToken?.spend(read.data.token) === true) return { by: 'start-token' };
      const detail = 'The token of the start is used once, and within an hour; the next start prints another.';
      return new GatewayError('sign_in_refused', { detail });
    }
    if (adminKey === undefined) {
      const detail = 'Without `operator.admin_key` nobody signs in with a key.';
      return new GatewayError('sign_in_refused', { detail });
    }
    if (isSecret(read.data.key, adminKey)) return { by: 'admin-key' };
    return ownerOf(read.data.key, sides.of(request).getRemoteAddress());
  }

  #open(request: IncomingMessage, owner: SessionOwner): OrError<{ signedIn: SignedIn; cookie: string }> {
    const { sessions, settings, now, tell } = this.#options;
    const { publicUrl } = settings();
    const before = sessionIdOf(request, publicUrl);
    const opened = sessions.open(owner);
    if (opened === undefined) {
      const detail = `\`${nameOf(owner)}\` has no role in the console.`;
      return new GatewayError('role_needed', { detail });
    }
    const used = sessions.use(opened.id);
    if (used === undefined) return new GatewayError('session_ended');
    if (before !== undefined) sessions.close(before);
    const { session, standing } = used;
    tell({ action: 'sign-in', actor: standing.subject, by: owner.by, role: standing.role });
    const cookie = sessionCookie(request, publicUrl, opened.id, session.endsAtMs - now());
    return { signedIn: { session, standing }, cookie };
  }

  #signOut(request: IncomingMessage): Answer {
    const { sessions, settings, tell } = this.#options;
    const { publicUrl } = settings();
    const signedIn = this.signedIn(request);
    const id = sessionIdOf(request, publicUrl);
    if (signedIn !== undefined && signedIn !== 'ended' && id !== undefined) {
      const { session, standing } = signedIn;
      const refused = this.refusesOrigin(request, session);
      if (refused !== undefined) {
        this.#tellRefusal(request, { by: 'session', path: SESSION, error: refused, owner: session.owner });
        return refusalOf(refused, CLOSE);
      }
      sessions.close(id);
      tell({ action: 'sign-out', actor: standing.subject, by: session.owner.by, role: standing.role });
    }
    return {
      status: 204,
      type: JSON_TYPE,
      body: '',
      headers: { 'set-cookie': sessionCookie(request, publicUrl, '', 0) },
    };
  }

  async #leave(request: IncomingMessage): Promise<Answer> {
    const { oidc } = this.#options;
    if (oidc?.isOffered !== true) return refusal('path_not_found');
    const begun = await oidc.begin(request);
    if (begun instanceof GatewayError) return toConsole(begun);
    return redirect(begun.location, begun.cookie);
  }

  async #comeBack(request: IncomingMessage, search: string): Promise<Answer> {
    const { oidc } = this.#options;
    if (oidc?.isOffered !== true) return refusal('path_not_found');
    const refuse = (error: GatewayError, owner?: SessionOwner): Answer => {
      this.#tellRefusal(request, { by: 'identity-provider', path: CALLBACK, error, owner });
      return toConsole(error);
    };
    const query = new URLSearchParams(search);
    const journey = oidc.cameBack(request, query);
    if (journey instanceof GatewayError) return refuse(journey);
    // From here on the provider is asked, with whatever code somebody made up.
    const giveBack = this.#guesses.take(request);
    if (giveBack === undefined) return refuse(tooMany());
    const owner = await oidc.finish(journey, query);
    if (owner instanceof GatewayError) return refuse(owner);
    giveBack();
    const opened = this.#open(request, owner);
    return opened instanceof GatewayError ? refuse(opened, owner) : redirect('/console/', opened.cookie);
  }

  #tellRefusal(
    request: IncomingMessage,
    { owner, ...refused }: Pick<Refusal, 'by' | 'path' | 'error'> & { readonly owner: SessionOwner | undefined },
  ): void {
    const { tellRefusal, sides } = this.#options;
    const actor = owner && nameOf(owner);
    tellRefusal({ ...refused, actor, action: request.method ?? '', address: sides.textOf(request) });
  }

  #shown(signedIn: SignedIn | 'ended' | undefined, headers?: Record<string, string>): Answer {
    const { adminKey, startToken, oidc } = this.#options;
    const signIn = {
      key: adminKey !== undefined,
      oidc: oidc?.isOffered === true,
      token: startToken?.isOpen === true,
    };
    const json =
      signedIn === undefined || signedIn === 'ended'
        ? { signed_in: false, sign_in: signIn }
        : { ...sessionJson(signedIn), sign_in: signIn };
    return { status: 200, type: JSON_TYPE, body: JSON.stringify(json), ...(headers && { headers }) };
  }
}

function tooMany(): GatewayError {
  return new GatewayError('sign_in_limited', { retryAfterMs: 10_000 });
}

function sessionJson({ session, standing }: SignedIn): object {
  const { role, data, subject, readOnly } = standing;
  const ends = new Date(session.endsAtMs).toISOString();
  return { signed_in: true, role, data, subject, read_only: readOnly, csrf: session.csrf, ends_at: ends };
}

/** The page says it in its own words: an address must not carry a sentence that somebody else wrote. */
function toConsole({ code }: GatewayError): Answer {
  return redirect(`/console/#sign_in_error=${code}`);
}

function redirect(location: string, cookie?: string): Answer {
  const headers = { location, ...(cookie !== undefined && { 'set-cookie': cookie }) };
  return { status: 303, type: 'text/plain; charset=utf-8', body: '', headers };
}
