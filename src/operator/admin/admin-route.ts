import type { OrError } from '../../core/exchange.ts';
import type { Viewer } from '../../policy/data-access.ts';

/**
 * The sessions of the console that reach a route, beside those of role `admin` and the admin key. `data`: `none`
 * shows nothing of anybody; `filtered` shows what `AdminRequest.viewer` may see, which the route itself looks to; `all` shows
 * everybody's, and is for those alone who may see all.
 */
export interface SessionAccess {
  readonly role: 'viewer' | 'operator';
  readonly data: 'none' | 'filtered' | 'all';
}

/** One operation of the admin API on the operator port. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/admin/keys/:id`; a part that begins with `:` matches one segment, percent-decoded. */
  readonly path: string;
  /** Absent: the role `admin` alone. */
  readonly session?: SessionAccess;
  /** What the OpenAPI document says of the route. */
  readonly summary: string;
  /** Parameters behind `?`, each with what it means. Any other is refused: a mistyped filter would filter nothing. */
  readonly query?: Readonly<Record<string, string>>;
  /** JSON schema of the body; absent: none is expected. */
  readonly requestBody?: object;
  /** The status of the answer when it went well; absent: 200. */
  readonly success?: number;
  /** What an answer may be besides JSON. */
  readonly otherTypes?: readonly string[];
  /** When it is answered with 409; absent: never. */
  readonly conflict?: string;
  handle(request: AdminRequest): Promise<OrError<AdminAnswer>> | OrError<AdminAnswer>;
}

/** All of it but the answer: structured-clonable. */
export type DescribedRoute = Omit<AdminRoute, 'handle'>;

export interface AdminRequest {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON, at most 1 MiB; undefined where no body was sent. Its shape is the route's to check. */
  readonly body: unknown;
  /** The viewer; undefined: one who sees all. */
  readonly viewer?: Viewer | undefined;
  /** Aborted when whoever asks has left; absent: nobody can. */
  readonly gone?: AbortSignal | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Ids of what was made or changed, for the log. */
  readonly changed?: readonly string[];
  /** What the audit log tells of it beside the ids; never a secret. */
  readonly about?: Readonly<Record<string, string | readonly string[]>>;
  /** Or as text of this type. */
  readonly text?: { readonly type: string; readonly body: string };
  /** Or as text that goes on until the client leaves or it is ended. */
  readonly stream?: StreamedAnswer;
}

export interface StreamedAnswer {
  readonly type: string;
  /** Beyond those that every stream has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once; what it gives is called once, when the client has left or all was written. */
  open(out: AnswerStream): () => void;
}

export interface AnswerStream {
  /** More waits for the client than should. */
  readonly isFull: boolean;
  write(text: string): void;
  end(): void;
}
