import type { ZodType } from 'zod';
import type { JsonObject } from '../codec/json-value.ts';
import type { KeyRules } from '../codec/key-rules.ts';
import type { AccountManifest } from '../config/configuration.ts';
import type { Environment } from '../config/environment.ts';
import type { GuardKind } from '../config/guardrails/guard-schemas.ts';
import type { GuardConfig } from '../config/guardrails/guardrails.ts';
import type { GatewayError } from '../core/errors.ts';
import type { Method, OrError } from '../core/exchange.ts';
import type { AnswerHeaders } from '../core/http-client.ts';
import type { InferenceEvent } from '../inference/event.ts';
import type { BodyStretch } from '../inference/form-part.ts';
import type { NeutralRequest } from '../inference/neutral-request.ts';
import type { ModelType, Operation } from '../inference/operation.ts';
import type { Part } from '../inference/request.ts';
import type { ListTerms } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { Credential, TokenSource, Tokens } from './credential.ts';
import type { ProviderBatches } from './provider-batches.ts';

/**
 * The interface every vendor folder fulfils. A plug is static; `open` turns one account manifest into an account;
 * an account turns a model name into a target. All of it is pure and made once per configuration, not per exchange.
 */
export interface ProviderPlug {
  /** Manifest kind, as `provider-account/openai`. */
  readonly type: string;
  /** Checks one account manifest (strict about shape, unknown keys are stripped and warned of by config). */
  readonly schema: ZodType<AccountManifest>;
  /** With no configuration at all an account of this name is made when this environment variable is set. */
  readonly wellKnown?: WellKnown;
  /** Further ones, of a kind whose accounts are of several hosts. */
  readonly otherWellKnown?: readonly WellKnown[];
  /** Every wire that its accounts may speak. Whoever wants all wires has them of these lists; there is no second one. */
  readonly wires: readonly Wire[];
  /** Client headers, in lower case, that its accounts take beyond those of the wire, as `x-title` of OpenRouter. */
  readonly forwards?: readonly string[];
  /**
   * Paths of the gateway behind which requests pass as they are to an account of this kind, as `/gemini/{account}/proxy/{*path}`:
   * `{account}` names it; where a path has none, the request or the only account of the kind does.
   */
  readonly passedAt?: readonly string[];
  /**
   * Names that tell which model it is, where owners of accounts name models as they like and a manifest may say so
   * (`foundation_model`). Absent: an id is the model's own.
   */
  readonly tellingNames?: RegExp;
  /** How an account is asked whether its credential works; absent: there is nothing cheap to ask for. */
  readonly probe?: Probe;
  /** Where an account gets its tokens, if it needs any. Main thread only: `open` finds what they gave in `tokens`. */
  tokenSources?(manifest: AccountManifest): readonly TokenSource[];
  open(manifest: AccountManifest, tokens: Tokens): ProviderAccount;
  /** Guards that are services of this vendor, and authorised as its accounts are. */
  readonly guards?: GuardCredentials;
}

/** How guards of some kinds are authorised. Both throw where the guard has no such credential, with words for people. */
export interface GuardCredentials {
  readonly kinds: readonly GuardKind[];
  /** Main thread only, as of accounts. */
  tokenSources(guard: GuardConfig): readonly TokenSource[];
  open(guard: GuardConfig, tokens: Tokens): Credential;
}

export interface WellKnown {
  readonly variable: string;
  /** They make the account as well, where that one is not set. */
  readonly otherVariables?: readonly string[];
  readonly account: string;
  /** `value`: of the variable. Undefined: together with what else is set it makes no account. */
  manifest(value: string, environment?: Environment): unknown;
}

/** A cheap GET that needs the credential. Paths stand behind the address of an account's first mount. */
export interface Probe {
  readonly path: string;
  /** The address before its paths, told by that of the mount; absent: the same. */
  base?(mounted: string): string;
  /** Whether the words of a refusal say that the credential is good, and that it may not list models. */
  mayNotList?(words: string): boolean;
  /** Ids of the models that a whole answer lists; undefined: it is no such list. Absent: the answer is about no models. */
  modelIds?(answer: unknown): readonly string[] | undefined;
  /** Where one model is asked for: lists leave out aliases. */
  modelPath?(modelId: string): string;
}

export interface ProviderAccount {
  readonly name: string;
  readonly type: string;
  /** As `Target.provider`: who its models are owned by in lists. */
  readonly provider: string;
  /** A model that anybody's account is likely to have: for the request that is printed at the start. */
  readonly exampleModel: string | undefined;
  /** The provider's id in the price library, where it has one: its models are this account's catalogue. */
  readonly catalogueId: string | undefined;
  /** What its ids look like: no other bare name is taken for one of its catalogue; undefined: any may be. */
  readonly modelIds?: RegExp | undefined;
  /** Every connection its targets use. */
  readonly connections: readonly Connection[];
  /** The same account with each of its other credentials; absent: it has one. */
  readonly others?: readonly ProviderAccount[];
  /** Models the manifest lists; empty: any model id of this account is passed on. */
  readonly listed: readonly Target[];
  /** By integration name; for an account that lists none, by any id. Undefined: this account has no such model. */
  target(model: string): Target | undefined;
  /** Its own batches, as they are asked for in OpenAI's form. Absent: what is asked of them passes as it is. */
  readonly batches?: ProviderBatches | undefined;
  /** By the segment behind the account's name in `/proxy-api/…`; absent: it has models, and no endpoints of its own. */
  readonly endpoints?: ReadonlyMap<string, EndpointPool>;
}

/** Endpoints that serve the same, to which requests are passed on as they are. */
export interface EndpointPool {
  readonly order: 'weight' | 'priority';
  readonly endpoints: readonly RawEndpoint[];
}

export interface RawEndpoint {
  /** `account/endpoint`; it has one mount, of the operation `raw`. */
  readonly target: Target;
  /** How often it is asked, beside the weights of the others. */
  readonly weight: number;
  /** 0 is the highest. */
  readonly priority: number;
  /** The statuses of its answers after which the next endpoint is asked. */
  readonly fallbackStatuses: ReadonlySet<number>;
  /** Whether it is asked where another one failed. */
  readonly isFallback: boolean;
  /** What the metadata of a request has to hold. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Account, model, credential and address: one place that can answer. Immutable. An account with several credentials has
 * one target for each of them, all of one id.
 */
export interface Target {
  /** `account/model`: canonical, what rules, labels and records use. */
  readonly id: string;
  readonly account: string;
  /** Account type without prefix (`openai`), or the host: the `gen_ai.provider.name` of records. */
  readonly provider: string;
  /** The provider's own model id, put into the body. */
  readonly modelId: string;
  /** Which model it is, where `modelId` is a name that the account's owner chose; undefined: the id tells. */
  readonly knownAs?: string | undefined;
  /** Where it runs, of a service whose requests name it. */
  readonly region?: string;
  readonly modelTypes: readonly ModelType[] | undefined;
  /** The wires that this place serves. Models of one account share the object: what is told by it is told once. */
  readonly mounts: Mounts;
  readonly abilities: Abilities;
  /** What its host takes otherwise in a chat completion that is passed through; undefined: nothing. */
  readonly rules?: ChatRules | undefined;
  /** What words of its host's faults stand for, where no status tells or a wrong one; undefined: nothing of its own. */
  readonly faultStatuses?: FaultStatuses | undefined;
  readonly price: PriceSource;
  /** Answers inside the process instead of over a connection (the demo account). */
  readonly local?: LocalResponder;
}

/** By operation of the wire, the preferred one first. */
export type Mounts = ReadonlyMap<Operation, readonly Mount[]>;

/**
 * A wire where one account serves it. Many hosts serve several side by side, each under a path of its own and with a
 * header of its own for the same key: OpenAI's under `/v1`, Anthropic's under `/anthropic`.
 */
export interface Mount {
  readonly wire: Wire;
  readonly connection: Connection;
  readonly credential: Credential;
  /** Flat name-value pairs sent with every request beside what the credential adds. Never a secret. */
  readonly headers: readonly string[];
  /** Names of client headers that go on, in lower case: the wire's and the plug's. */
  readonly forwards: readonly string[];
  /** Without a slash at its end: `/v1`, or nothing. */
  readonly basePath: string;
  /** From the root, the base path of the mount included. */
  path(target: Target, request: WireRequest): string;
  /** How the first message of a session names the model; absent: by its id, or not at all. */
  sessionModel?(target: Target): string;
}

/** What pools are keyed by. */
export interface Connection {
  /** `https://host:port` */
  readonly origin: string;
  /** A digest of the credential: accounts with different credentials never share a connection. */
  readonly credential: string;
  /** The account's own proxy, or `none`; undefined: as the server's settings say. May hold a password. */
  readonly proxy?: string;
  readonly tls?: { rejectUnauthorized: boolean; ca?: string };
  /** A name that leads to a metadata service of a cloud is not connected to (core/metadata-address.ts). */
  readonly guarded?: true | 'public';
}

/** What differs among those who speak the same form; an integration may say otherwise (`abilities`). */
export interface Abilities {
  /** Understands `stream_options.include_usage`. */
  readonly usageInStream: boolean;
  /** Takes messages of the role `developer`; others get them as `system`. */
  readonly developerRole: boolean;
}

/** Compiled once for a host and a family of its models. */
export interface ChatRules {
  readonly parameters: KeyRules | undefined;
  /** The rules of each message. */
  readonly messages: KeyRules | undefined;
  /** Longer ids of tool calls are refused; undefined: nothing is known of a bound. */
  readonly maxToolCallIdCharacters?: number | undefined;
  /** It is known in which key earlier reasoning goes back, and `messages` puts it there. */
  readonly takesReasoning?: boolean;
}

/** By code or type. */
export type FaultStatuses = ReadonlyMap<string, number>;

export interface PriceSource {
  readonly catalogueId: string | undefined;
  readonly modelId: string;
  /** The manifest's `cost` block, already checked; wins over the catalogue. */
  readonly cost?: unknown;
  readonly discountPercent?: number;
  /** What the provider publishes of tiers, speeds and geographies, which the catalogue does not know. */
  readonly terms?: ListTerms | undefined;
}

/** What lies between the pieces of a streamed answer; `none`: the wire has no streamed answers. */
export type Framing = 'sse' | 'ndjson' | 'aws-event-stream' | 'none';

/** A provider's form of one operation, as it is on the line. One object per wire, shared by all accounts that speak it. */
export interface Wire {
  /** Where it equals the client's dialect, requests and answers are passed through; else `translation` must exist. */
  readonly name: string;
  readonly operation: Operation;
  readonly framing: Framing;
  readonly method: Method;
  /**
   * Media type of the request body; undefined: its requests have none; `of-the-client`: what the client says, whose body
   * is passed on (a multipart form has its boundary there).
   */
  readonly contentType: string | undefined;
  /** Media type of a whole answer; absent: JSON. */
  readonly accept?: string;
  /**
   * `any`: whole answers are bytes of whatever media type the provider says, and pass to a dialect whose answers are,
   * also where the request had to be translated.
   */
  readonly media?: 'any';
  /** Its requests have to be translated, but its answers are of this form: they pass to a client that speaks it. */
  readonly answersAs?: string;
  /** Documents of a rerank are texts here: a request with others is translated, although the form is its client’s. */
  readonly textDocuments?: true;
  /** Client headers that providers of this form read (versions, betas), in lower case. */
  readonly forwards: readonly string[];
  /** As much of such a header as they understand; undefined: nothing. Absent: all of it, byte for byte. */
  forwarded?(name: string, value: string): string | undefined;
  /** Behind the base path of the mount. */
  path(target: Target, request: WireRequest): string;
  /**
   * The wire's own usage object → neutral; undefined where it is none. `answer`: the event, or the small values of the
   * answer, that it stood in (the usage object itself too), where more may be told.
   */
  toUsage(usage: unknown, answer: JsonObject): Usage | undefined;
  /**
   * A failure in the provider's words → our error. `status` undefined: told inside a 200, where only the words can say
   * what it would have been. `body` holds at most 64 KiB.
   */
  toError(status: number | undefined, body: Buffer, target: Target): GatewayError;
  readonly translation?: Translation;
  /** Absent: what is on the line is the form itself. */
  readonly envelope?: Envelope;
}

/** A form of a client's, wrapped: its requests say a few things in other places, and so may the events of its streams. */
export interface Envelope {
  /** Name of the form that is wrapped: a dialect of that name passes. */
  readonly form: string;
  /** Absent: its requests are those of the form. */
  readonly requests?: {
    /** Top-level keys of the form that they do not have. */
    readonly without: KeyRules;
    /** Pairs that they have beside, as JSON text without braces; `client`: the headers that some provider takes. */
    pairs(client: Readonly<Record<string, string>>): string;
  };
  /**
   * Takes the bytes of the form, which may be cut anywhere, out of one frame of a stream that comes in frames of AWS;
   * undefined: nothing of the form. `payload` is the parser's again once this returns.
   */
  unpack?(event: string | undefined, payload: Buffer): Buffer | undefined;
}

/** What of a client's request the path at the provider may depend on. */
export interface WireRequest {
  readonly stream: boolean;
}

/** What of a target a translation may know: plain, since a large request is translated in another thread. */
export type TranslationTarget = Pick<Target, 'id' | 'modelId' | 'knownAs' | 'region'>;

export interface MadeRequest {
  /** Pieces one behind another: bytes of ours, and stretches of the client's body. */
  readonly body: Buffer | readonly (Buffer | BodyStretch)[];
  /** What this request needs beyond the mount's headers. */
  readonly headers: readonly string[];
  /** In the place of the wire's own, behind the base path: of a request that decides where it goes. */
  readonly path?: string | undefined;
}

export interface Translation {
  /** Inputs, or images to be made, that one request may have: a larger one is asked in parts. Undefined: as many as there are. */
  maxInputs?(modelId: string): number | undefined;
  /** Body bytes plus headers this request needs beyond the mount's; or what the provider cannot express. */
  toRequest(request: NeutralRequest, target: TranslationTarget): OrError<MadeRequest>;
  /** Some answers have a key `error` beside what they are of: `fromResponse` tells. Absent: whatever has one is a failure. */
  readonly readsErrors?: true;
  /**
   * Whether an image or a file that is named by an address on the web has to be fetched first, since the provider does not
   * do it. Absent: it does.
   */
  takesBytesAlone?(part: Part, modelId: string): boolean;
  /**
   * The made body with what the host of the target takes otherwise. Absent: all hosts of this wire take the same. On the
   * relay thread, also where `toRequest` ran in another.
   */
  adapted?(body: Buffer, target: Target): OrError<Buffer>;
  /** A whole 2xx answer. An answer that is not of this wire: GatewayError('upstream_protocol'). */
  fromResponse(body: Buffer): OrError<InferenceEvent[]>;
  /**
   * A new reader per attempt: takes each SSE event as it comes, gives the neutral events it stands for. Absent: the wire
   * has no streams.
   */
  eventReader?(): EventReader;
}

export interface EventReader {
  /** `data` is valid until the call returns. */
  fromEvent(event: string | undefined, data: string, out: InferenceEvent[]): void;
  /** Whether the wire's own end (`message_stop`, `[DONE]`) was seen: a stream that closes without it was cut. */
  readonly complete: boolean;
  /**
   * Whether a wire without an end of its own has ended: every choice has its finish reason. The stream is whole if HTTP
   * ends cleanly then; usage may still come before.
   */
  readonly finished?: boolean;
  /**
   * What only the end of a stream tells, called once when it ended whole. Of a wire without an end of its own, which may
   * name a finish reason with every piece: the last one counts.
   */
  end?(out: InferenceEvent[]): void;
}

export interface LocalRequest {
  readonly path: string;
  /** As the client says. */
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

/** What both an upstream attempt and a local responder drive. Callbacks come in this order, `failed` or `ended` once. */
export interface AttemptHandler {
  started(status: number, headers: AnswerHeaders): void;
  /**
   * Bytes may be kept by reference; they are never written again. `pieces`: how many the provider sent one by one that
   * came together; 1 where nothing is said.
   */
  chunk(bytes: Buffer, pieces?: number): void;
  ended(): void;
  failed(error: GatewayError): void;
}

export interface AttemptControl {
  pause(): void;
  resume(): void;
  /** Stops it; no callback comes afterwards. */
  abort(): void;
}

export type LocalResponder = (request: LocalRequest, handler: AttemptHandler) => AttemptControl;
