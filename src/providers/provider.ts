import type { ZodType } from 'zod';
import type { JsonObject } from '../codec/json-value.ts';
import type { AccountManifest } from '../config/configuration.ts';
import type { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { InferenceEvent } from '../inference/event.ts';
import type { InferenceRequest } from '../inference/request.ts';
import type { Usage } from '../inference/usage.ts';

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
  readonly wellKnown?: { variable: string; account: string; manifest(value: string): unknown };
  open(manifest: AccountManifest): ProviderAccount;
}

export interface ProviderAccount {
  readonly name: string;
  readonly type: string;
  /** A model that anybody's account is likely to have: for the request that is printed at the start. */
  readonly exampleModel: string | undefined;
  /** The provider's id in the price library, where it has one: its models are this account's catalogue. */
  readonly catalogueId: string | undefined;
  /** Every connection its targets use. */
  readonly connections: readonly Connection[];
  /** Models the manifest lists; empty: any model id of this account is passed on. */
  readonly listed: readonly Target[];
  /** By integration name; for an account that lists none, by any id. Undefined: this account has no such model. */
  target(model: string): Target | undefined;
}

export type ModelType =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'realtime'
  | 'rerank'
  | 'audio_transcription'
  | 'audio_translation'
  | 'text_to_speech'
  | 'moderation'
  | 'image'
  | 'responses'
  | 'ocr';

/** Account, model, credential and address: one place that can answer. Immutable. */
export interface Target {
  /** `account/model`: canonical, what rules, labels and records use. */
  readonly id: string;
  readonly account: string;
  /** Account type without prefix (`openai`): the `gen_ai.provider.name` of records. */
  readonly provider: string;
  /** The provider's own model id, put into the body. */
  readonly modelId: string;
  readonly modelTypes: readonly ModelType[] | undefined;
  readonly connection: Connection;
  /** Path prefix before the wire's own path, as `/v1`. */
  readonly basePath: string;
  /** Flat name-value pairs: credential and configured headers. Holds secrets: never logged. */
  readonly headers: readonly string[];
  readonly abilities: Abilities;
  readonly wire: Wire;
  readonly price: PriceSource;
  /** Answers inside the process instead of over a connection (the demo account). */
  readonly local?: LocalResponder;
}

/** What pools are keyed by. */
export interface Connection {
  /** `https://host:port` */
  readonly origin: string;
  /** A digest of the credential: accounts with different credentials never share a connection. */
  readonly credential: string;
  readonly tls?: { rejectUnauthorized: boolean; ca?: string };
}

export interface Abilities {
  /** Understands `stream_options.include_usage`. */
  readonly usageInStream: boolean;
}

export interface PriceSource {
  readonly catalogueId: string | undefined;
  readonly modelId: string;
  /** The manifest's `cost` block (facts/manifests §1.2), already checked; wins over the catalogue. */
  readonly cost?: unknown;
  readonly discountPercent?: number;
}

/** A provider's JSON as it is on the line. One object per wire, shared by all accounts that speak it. */
export interface Wire {
  /** Where it equals the client's dialect the answer is passed through; else `translation` must exist. */
  readonly name: 'openai-chat' | 'anthropic-messages';
  /** Path behind the target's base path. */
  path(target: Target, stream: boolean): string;
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
}

/** What of a target a translation may know: plain, since a large request is translated in another thread. */
export type TranslationTarget = Pick<Target, 'id' | 'modelId'>;

export interface Translation {
  /** Body bytes plus headers this request needs beyond the target's; or what the provider cannot express. */
  toRequest(
    request: InferenceRequest,
    target: TranslationTarget,
  ): OrError<{ body: Buffer; headers: readonly string[] }>;
  /** A whole 2xx answer. An answer that is not of this wire: GatewayError('upstream_protocol'). */
  fromResponse(body: Buffer): OrError<InferenceEvent[]>;
  /** A new reader per attempt: takes each SSE event as it comes, gives the neutral events it stands for. */
  eventReader(): EventReader;
}

export interface EventReader {
  /** `data` is valid until the call returns. */
  fromEvent(event: string | undefined, data: string, out: InferenceEvent[]): void;
  /** Whether the wire's own end (`message_stop`, `[DONE]`) was seen: a stream that closes without it was cut. */
  readonly complete: boolean;
}

export interface LocalRequest {
  readonly path: string;
  readonly body: Buffer;
}

/** What both an upstream attempt and a local responder drive. Callbacks come in this order, `failed` or `ended` once. */
export interface AttemptHandler {
  /** Header names in lower case. */
  started(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void;
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
