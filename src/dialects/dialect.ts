import type { JsonObject } from '../codec/json-value.ts';
import type { KeyRules } from '../codec/key-rules.ts';
import type { GatewayError } from '../core/errors.ts';
import type { BodyScan, Exchange, Method, OrError } from '../core/exchange.ts';
import type { InferenceEvent } from '../inference/event.ts';
import type { BodyStretch } from '../inference/form-part.ts';
import type { NeutralRequest } from '../inference/neutral-request.ts';
import type { ExpectedPages } from '../inference/ocr.ts';
import type { Operation } from '../inference/operation.ts';
import type { AnswerText, PromptText } from '../inference/sampled-text.ts';
import type { ServedAs } from '../inference/served-as.ts';
import type { Usage } from '../inference/usage.ts';
import type { RareCounts } from '../inference/usage-counters.ts';
import type { AnswerContext, AnswerForm, VectorEncoding } from './answer-form.ts';
import type { DialectDocument } from './dialect-document.ts';
import type { GuardedForm } from './guarded-form.ts';

export type { AnswerContext } from './answer-form.ts';

/** Every form that a client or a provider speaks, and whose words are known. */
export type FormName =
  | 'openai-chat'
  | 'anthropic-messages'
  | 'anthropic-count-tokens'
  | 'openai-embeddings'
  | 'openai-moderations'
  | 'openai-completions'
  | 'cohere-rerank'
  | 'mistral-ocr'
  | 'openai-speech'
  | 'openai-transcriptions'
  | 'openai-translations'
  | 'openai-images'
  | 'openai-image-edits'
  | 'openai-image-variations'
  | 'openai-responses'
  | 'openai-input-tokens'
  | 'openai-compaction';

/**
 * What is to be known of one API form whoever speaks it, client or provider. Pure: bytes in, values or bytes out. A
 * provider's wire of the same name speaks this form: then bytes pass and nothing is translated.
 */
export interface ApiForm {
  readonly name: FormName;
  /** How its answers are read while they pass. */
  readonly answers: AnswerForm;
  /** The words of a parsed request. */
  promptText(body: unknown): PromptText;
  /** The words in the first bytes of an answer; undefined: they show none. */
  answerText(sample: Buffer, totalBytes: number): AnswerText | undefined;
  /** The error body before the commit point, and the event after it, which stands alone and ends what an SDK reads. */
  errorBody(error: GatewayError, exchangeId?: string): Buffer;
  errorEvent(error: GatewayError, exchangeId?: string): Buffer;
}

/** What one client-facing API form knows beyond that: its requests. */
export interface Dialect extends ApiForm {
  /** What is asked in it. */
  readonly operation: Operation;
  readonly routes: readonly DialectRoute[];
  /** Loaded where the OpenAPI document is made, and nowhere else. Absent: its routes are not in the document. */
  readonly openapi?: () => Promise<DialectDocument>;
  /** The parameter by which a provider is asked for usage in a stream; undefined: it tells without being asked. */
  readonly usageParameter: string | undefined;
  /** A new scan for one request body: what a provider of the same wire needs to know, found without parsing. */
  scan(request: ScannedRequest): RequestScan;
  /** The passthrough body for one target: all bytes are the client's but those of the edits. */
  splice(body: Buffer, peeked: PeekedRequest, edits: SpliceEdits): OrError<Buffer | Buffer[]>;
  /** How a form with large files is read as it arrives. Absent: all bodies are collected. */
  readonly uploads?: UploadForm;
  /** As `splice`, of a body of so many bytes that is on the disk: its stretches, and bytes of ours in between. */
  pieces?(peeked: PeekedRequest, edits: SpliceEdits, length: number): (Buffer | BodyStretch)[];
  /** The body with these parameters set over the client's own. Absent, or undefined: its body is a JSON object. */
  overridden?(body: Buffer, params: Readonly<Record<string, unknown>>, request: ScannedRequest): Buffer | undefined;
  /** What fills the silence of its streams, whole: no SDK of the form takes it for content. Absent: a comment. */
  readonly keepAlive?: Buffer;
  /** Headers of its clients, in lower case, whose values are metadata of a request → their keys. */
  readonly metadataHeaders?: Readonly<Record<string, string>>;
  /** How its clients read the list of models; absent: as those of OpenAI do. */
  readonly modelList?: ModelListForm;
  /**
   * The gateway's own answer for a target without such an endpoint: an estimate of the tokens of the prompt. Absent:
   * then the target does not serve it.
   */
  readonly fromEstimate?: (inputTokens: number) => Buffer;
  /** Absent: only a provider that speaks this form can answer it. */
  readonly translation?: DialectTranslation;
  /**
   * Follows a streamed answer, so that it can be ended before its provider does: one follower per attempt. Absent: its
   * answers are not ended early.
   */
  followStream?(context: AnswerContext): StreamFollower;
  /** How two requests are known to be one; absent: its answers are not cached. */
  readonly cached?: CachedForm;
  /** Where its words stand, for guardrails. Absent: it has none that they could read. */
  readonly guarded?: GuardedForm;
  /**
   * The texts of a request that is a form, by their names, as `guarded.request` reads them; `overridden` sets them to
   * others. Undefined: the request is JSON. Absent: each is.
   */
  formTexts?(peeked: PeekedRequest): OrError<Record<string, unknown>> | undefined;
  /** Absent: its answers are not kept. */
  readonly conversation?: DialectConversation;
  /** Requests for a model with their answers, by which a thread warms up. Absent: it does not, for this form. */
  exercise?(model: string): FormExercise;
}

/** What a provider of the form would be asked, and what it would say. */
export interface FormExercise {
  readonly whole: ExercisedRequest;
  readonly streamed: ExercisedRequest;
}

export interface ExercisedRequest {
  readonly request: Buffer;
  /** JSON, or the events of a stream. */
  readonly answer: readonly string[];
}

/** What of a form matters to a cache of its answers. Requests are JSON objects. */
export interface CachedForm {
  /** Keys of requests that change nothing of an answer: who asks, and where providers file it. */
  readonly leaveOut: readonly string[];
  /** Keys with the JSON of a value at which no answer is cached: its provider keeps it, and later requests go on from it. */
  readonly never?: Readonly<Record<string, string>>;
  /** A key whose texts may begin with a line about the client: that line is left out. */
  readonly attribution?: { readonly key: string; readonly begins: string };
  /** Texts that only answers have which were broken off or refused. */
  readonly unfinished: readonly string[];
  /** Key of the list of messages, or of the one text that is asked. Absent: only equal requests are alike. */
  readonly turns?: string;
}

/** How a form whose answers are kept goes on from them. */
export interface DialectConversation {
  /** The items of this turn, as JSON of a list. */
  turnItems(body: Buffer, peeked: PeekedRequest): string;
  /** The request with the `items` before it in the body. `passes`: it goes to a provider of this form, which made none of them. */
  continued(body: Buffer, peeked: PeekedRequest, items: string, passes: boolean): OrError<ContinuedRequest>;
  /** Its answer is no turn: nothing is kept of it or added. */
  readonly onlyReads?: true;
  /** Items of answers that the turn names by id alone: id of the item → id of the answer. Absent: it cannot. */
  references?(body: Buffer, peeked: PeekedRequest): ReadonlyMap<string, string>;
  /** The request with these items in the place of their ids. */
  withItems?(body: Buffer, peeked: PeekedRequest, items: ReadonlyMap<string, object>): OrError<ContinuedRequest>;
  /** What of items that are kept for later turns no provider could take. `place`: the parameter that holds them. */
  itemsFault?(items: readonly JsonObject[], place: string): GatewayError | undefined;
  /** Absent: nothing of this form is answered in the background. */
  readonly background?: DialectBackground;
}

/** How answers of a form are made while nobody waits for them. */
export interface DialectBackground {
  /** The last event of a stream that breaks off, under this number. */
  errorEvent(error: GatewayError, sequenceNumber: number): Uint8Array;
  /** The same request as somebody asks it who waits for the events of its answer. */
  foreground(body: Buffer, peeked: PeekedRequest): OrError<ContinuedRequest>;
  /** The answer before anything of it is there. */
  queued(body: Buffer, peeked: PeekedRequest, id: string, createdAt: number): JsonObject;
}

export interface ContinuedRequest {
  readonly body: Buffer;
  readonly peeked: PeekedRequest;
}

/** A model as a list names it. */
export interface ListedName {
  readonly id: string;
}

/** The list of models as clients of one form read it. */
export interface ModelListForm {
  /** A header that they send and no others, in lower case: it must be one of those that some provider takes. */
  readonly header: string;
  /** `query`: as it was sent, without the `?`. */
  list(models: readonly ListedName[], query: string | undefined): object;
  model(model: ListedName): object;
}

/** How a dialect is asked of providers of another form, through the neutral one. */
export interface DialectTranslation {
  /** Operations in whose wires it can be asked; the best first. */
  readonly to: readonly Operation[];
  /** The whole request parsed. `model` is what the provider shall read. */
  toInference(body: Buffer, model: string): OrError<NeutralRequest>;
  /** The values of a request that its answer repeats: `AnswerContext.repeats`. Absent: it repeats none. */
  repeated?(body: Buffer, peeked: PeekedRequest): JsonObject;
  /**
   * A request that was read whole as it came, all but its files: those stay where they are, and `toRequest` of the wire
   * names them by their places. Undefined: it is for `toInference`. Absent: each request is.
   */
  fromForm?(peeked: PeekedRequest, model: string): OrError<NeutralRequest> | undefined;
  /** A whole answer from the neutral events; where it is no JSON, with its media type. */
  fromInference(events: readonly InferenceEvent[], context: AnswerContext): OrError<Buffer | LabelledBody>;
  /** A streamed answer: one writer per exchange. Absent: this form has no streams. */
  eventWriter?(context: AnswerContext): EventWriter;
}

export interface LabelledBody {
  readonly body: Buffer;
  readonly contentType: string;
}

/** In what a provider of the same form differs from what the client asked. */
export interface SpliceEdits {
  /** The provider's own id in the place of the client's. */
  readonly modelId: string;
  /** Ask for usage in the stream. */
  readonly askUsage: boolean;
  /** `system` in the place of the role `developer`. */
  readonly developerAsSystem: boolean;
  /** What its host takes otherwise in a chat; undefined: nothing. */
  readonly rules?: BodyRules | undefined;
  /** In what a provider wraps this form; undefined: in nothing. */
  readonly envelope?: BodyEnvelope | undefined;
}

/** A request of a form as somebody takes it who says a few things in other places. */
export interface BodyEnvelope {
  /** The top-level keys that it does not have. */
  readonly without: KeyRules;
  /** The pairs that it has beside: JSON text without braces. */
  readonly pairs: string;
}

/** The keys of a request, and of each of its messages, that a host knows otherwise than the form says. */
export interface BodyRules {
  readonly parameters: KeyRules | undefined;
  readonly messages: KeyRules | undefined;
  /** Longer ids of tool calls are refused; undefined: nothing is known of a bound. */
  readonly maxToolCallIdCharacters?: number | undefined;
}

/** A path on which a dialect is spoken. */
export interface DialectRoute {
  readonly method: Method;
  /** Without base path: `/responses/{id}/cancel`; see edge/routes.ts. */
  readonly pattern: string;
}

/** What is known of a request before its body comes: the scan of a form with boundaries or ids in its path needs it. */
export type ScannedRequest = Pick<Exchange, 'path' | 'params' | 'headers'>;

/** Bodies that are not collected. */
export interface UploadForm {
  /** Whether a body of that media type is one of them; undefined: the client named none. */
  takes(contentType: string | undefined): boolean;
  /** A new scan for one body. */
  scan(request: ScannedRequest): UploadScan;
}

/** Reads a body of which nothing but a few texts is kept. */
export interface UploadScan {
  /** Why it is refused; undefined: nothing is wrong so far. */
  readonly fault: GatewayError | undefined;
  /** Enough is known to send on what came and what will come. */
  readonly mayBegin: boolean;
  /** The bytes may be changed afterwards. */
  take(bytes: Uint8Array): void;
  /** All of it was taken. */
  finish(): void;
  /** As far as it came. */
  result(): OrError<PeekedRequest>;
}

export interface RequestScan extends BodyScan {
  /** Once the whole body was seen. */
  result(body: Buffer): OrError<PeekedRequest>;
}

/** What the gateway reads of every request. A dialect may read more for its own `splice`. */
export interface PeekedRequest {
  model: string;
  stream: boolean;
  /** The client itself asked for usage in its stream. */
  includeUsage: boolean;
  /** The most that it may generate, for one choice; undefined where that is not said. */
  maxOutputTokens: number | undefined;
  /** How many answers are asked for at once (`n`): 1 where nothing is said, 0 where nothing is generated. */
  choices: number;
  /** Tier, speed and geography that it asks for, where they are not the provider's default. */
  servedAs?: ServedAs | undefined;
  /** As in `AnswerContext`. */
  encoding?: VectorEncoding | undefined;
  maxResults?: number | undefined;
  format?: string | undefined;
  /**
   * What of it is billed that no answer tells: characters to be spoken, images to be made. Absent: where the provider
   * tells no usage, tokens are estimated; present: nothing is estimated, for neither side is text of a model.
   */
  counted?: Readonly<RareCounts> | undefined;
  /** It is billed by pages, which its answer counts: what it says of them itself. Absent: it is not. */
  pages?: ExpectedPages | undefined;
  /** Its documents may be objects: who takes texts alone gets it translated. */
  objectDocuments?: boolean | undefined;
  /** Nothing is billed for it, whatever its answer tells. */
  free?: true | undefined;
  /** Bytes of the request that are text for a model; absent: all of them. */
  promptBytes?: number | undefined;
  /** What it says of itself that is metadata of the request, where no header says the same. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** How answers of this form are kept, so that a later request can go on from them. */
  state?: ConversationState | undefined;
}

/** What a request says of the answers before it, and of its own. */
export interface ConversationState {
  /** The answer that it goes on from. */
  readonly previousId: string | undefined;
  readonly conversationId: string | undefined;
  /** That answer, where its items stand in the body instead. */
  readonly continuedFrom?: string | undefined;
  /** The conversation whose items stand in the body instead. */
  readonly continuedIn?: string | undefined;
  /** Its answer is to be kept. */
  readonly stores: boolean;
  /** Nobody waits for its answer: it is asked for later. */
  readonly background: boolean;
  /** Where the items of this turn stand in the body; -1: it has none. */
  readonly input: { readonly start: number; readonly end: number };
}

export interface EventWriter {
  /** Bytes for one neutral event; undefined where the dialect has none for it. */
  write(event: InferenceEvent): Buffer | undefined;
  /** The dialect's own end (`data: [DONE]`). */
  end(): Buffer;
  /** The dialect's own end of an answer that failed after it began. Absent: the dialect's error event alone. */
  failed?(error: GatewayError): Buffer;
}

/** Reads the events that a client gets, one after another, whole. */
export interface StreamFollower {
  /** Output tokens of the answer with this event in it, as far as can be told; never falls. */
  read(event: Buffer): number;
  /** The answer was finished by the events that were read: cutting it would save nothing. */
  readonly finished: boolean;
  /** What makes a whole answer, ended for its length, of all events but the one that was read last. */
  ending(usage: Usage): Buffer;
}
