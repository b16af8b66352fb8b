import { z } from 'zod';
import { modelType } from '../../config/account-schema.ts';

/*
 * The columns of the tables in hosts/ and of model-families.ts. A column that a row leaves out says that its host does as OpenAI
 * does, or that nobody knows: then nothing is changed, and what the host does not like it says itself.
 */

const word = z.string().regex(/^[\w.-]+$/);
const headerName = z.string().regex(/^[a-z0-9-]+$/);
/** https, or a machine's own address; `{part}` stands for a key of `host_parts`. */
const address = z.string().regex(/^(https:\/\/[\w.{}-]+|http:\/\/127\.0\.0\.1:\d+)(\/[\w.{}-]+)*$/);

/** In what requests differ, by the host or by a family of models. */
const requestQuirks = z.strictObject({
  /** Parameters that are refused, or read as nothing. What becomes of them is said once: chat-rules.ts. */
  refused: z.array(word).optional(),
  /** Parameters that have another name. */
  renamed: z.record(word, word).optional(),
  /** Words of `reasoning_effort` → the host's own; null: the parameter is left out. */
  effort: z.record(word, word.nullable()).optional(),
  /** Keys of messages that are refused. */
  refusedInMessages: z.array(word).optional(),
  /** The key in which reasoning of earlier turns goes back; `never`: it is refused, or would be read as an answer. */
  reasoningBack: z.enum(['reasoning_content', 'reasoning', 'never']).optional(),
  /** Longer ids of tool calls are refused: other vendors make such. */
  maxToolCallIdCharacters: z.int().min(20).optional(),
});

export type RequestQuirks = z.output<typeof requestQuirks>;

export const modelFamily = requestQuirks.extend({
  /** As rows refer to it. */
  name: word,
  /** Ids of its models, with whatever a host writes in front of them. */
  models: z.instanceof(RegExp),
  /** What it is that it differs in, for the table in docs/. */
  about: z.string(),
});

export type ModelFamily = z.output<typeof modelFamily>;

export const hostRow = requestQuirks.extend({
  /** `host: …` in manifests, and the account that its variable makes. */
  id: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
  /** As it calls itself. */
  title: z.string().min(1),
  /** Its kind of account in the reference product (`provider-account/<kind>`); absent: `provider-account/openai-compatible`. */
  kind: z.string().optional(),
  /** That kind is a folder of its own: another credential, or an address that is put together. */
  ownPlug: z.literal(true).optional(),
  /** Where its forms are served side by side: base addresses, without the path that every host of the form has. */
  mounts: z.strictObject({
    /** Joined with `/chat/completions`, and with `/embeddings` where it serves them. */
    chat: address,
    /** In the place of that for embeddings. */
    embeddings: address.optional(),
    /** Joined with `/v1/messages`: Anthropic's form. */
    messages: address.optional(),
  }),
  /** The header that holds the key, and what stands before it; absent: `authorization: Bearer KEY`. */
  credential: z.strictObject({ header: headerName, scheme: z.string().optional() }).optional(),
  /** The same of the Anthropic mount, where that differs; absent: as `credential`. */
  messagesCredential: z.strictObject({ header: headerName, scheme: z.string().optional() }).optional(),
  /** Nobody is asked for a key. */
  keyless: z.literal(true).optional(),
  /** Sent with every request. */
  headers: z.record(headerName, z.string()).optional(),
  /** Keys of its manifests, `true` or `false`, that send headers with every request. */
  switches: z.record(word, z.strictObject({ headers: z.record(headerName, z.string()), about: z.string() })).optional(),
  /** Headers of the client that go on. */
  forwards: z.array(headerName).optional(),
  /** The key in which reasoning comes. Clients get it as it is. */
  reasoning: z.enum(['reasoning_content', 'reasoning', 'content']).optional(),
  /**
   * `tool_choice: required`, or one tool, is refused while the model thinks. The host says so itself, with 400: nobody can
   * tell here whether it thinks, and a tool that was not forced would be another answer.
   */
  forcedTools: z.literal('unless thinking').optional(),
  /** How the usage of a stream is had: `asked` by stream_options.include_usage, or `told` without being asked. */
  usage: z.enum(['asked', 'told']),
  /** Where it is told; absent: in a chunk of its own, with `choices: []`, or in the last. */
  usageIn: z.enum(['x_groq', 'every chunk', 'the last choice']).optional(),
  /** Its streams end without `[DONE]`. */
  noDone: z.literal(true).optional(),
  /** Words of its faults → the status that they mean, where it tells none or a wrong one. */
  faults: z.record(z.string(), z.int().min(400).max(599)).optional(),
  /** Takes the role `developer`; else it is sent as `system`. */
  developerRole: z.literal(true).optional(),
  /** What its models are for, of what is known; the gateway serves of it what there are endpoints for. */
  serves: z.array(modelType).min(1),
  /**
   * What of that it serves in a form of its own, by the name of that form (host-forms.ts); `unknown`: nobody here speaks it,
   * and the endpoint is refused. Absent: OpenAI's form, for rerank Cohere's.
   */
  forms: z.partialRecord(modelType, word).optional(),
  families: z.array(word).optional(),
  /** With no configuration at all an account is made where this is set. */
  variable: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]+$/)
    .optional(),
  /** Its id in the price library. */
  catalogueId: z.string().optional(),
  /** A model that anybody's account is likely to have: for the request that is printed at the start. */
  example: z.string().optional(),
  /** The form of its own batches (host-forms.ts). Absent: whatever is asked of them passes as it is. */
  batches: word.optional(),
  /** A path behind the base address that lists its models; absent: `/models`. */
  modelsPath: z.string().startsWith('/').optional(),
  /** How its row came to be known: its own traffic, its own documentation, or lists of others alone. */
  known: z.enum(['recorded', 'documented', 'listed']),
});

export type HostRow = z.output<typeof hostRow>;

/** The parts of its addresses that an account has to name. */
export function addressParts({ mounts }: HostRow): string[] {
  const all = [mounts.chat, mounts.messages ?? ''].flatMap((each) => [...each.matchAll(/\{(\w+)\}/g)]);
  return [...new Set(all.map(([, part = '']) => part))];
}
