import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';
import { ownSignature } from '../../inference/signature.ts';
import type { ModelFamily } from './model-family.ts';
import { type CalledNames, type GeminiPart, toPart } from './to-parts.ts';
import { VENDOR } from './vendor.ts';

/** https://ai.google.dev/api/caching#Content */
export interface Content {
  role: 'user' | 'model';
  parts: GeminiPart[];
}

export interface Conversation {
  system: GeminiPart[];
  contents: Content[];
}

/**
 * What Google takes in the place of a signature that is lost, or was made by another vendor.
 * https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
 */
const NO_SIGNATURE = 'skip_thought_signature_validator';

/**
 * System and developer messages go into the system instruction, wherever they stood. Neighbours of one role become one
 * content, so that the results of parallel calls stand together behind their calls, as Gemini demands.
 */
export function toConversation(messages: readonly Message[], family: ModelFamily): OrError<Conversation> {
  const called = calledNames(messages);
  const system: GeminiPart[] = [];
  const contents: Content[] = [];
  for (const message of messages) {
    const parts = toParts(message.parts, called);
    if (parts instanceof GatewayError) return parts;
    if (parts.length === 0) continue;
    if (message.role === 'system' || message.role === 'developer') {
      for (const part of parts) system.push(part);
      continue;
    }
    const role = message.role === 'assistant' ? 'model' : 'user';
    if (role === 'model' && family.needsSignatures) sign(parts);
    const last = contents.at(-1);
    if (last?.role === role) for (const part of parts) last.parts.push(part);
    else contents.push({ role, parts });
  }
  if (contents.length > 0) return { system, contents };
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail: 'Gemini needs a message of the user or the assistant that is not empty.',
  });
}

function calledNames(messages: readonly Message[]): CalledNames {
  const names = new Map<string, string>();
  for (const { parts } of messages) {
    for (const part of parts) if (part.type === 'tool-call') names.set(part.id, part.name);
  }
  return names;
}

/** A signature that came behind a text stands in the conversation before it, as reasoning: it goes back onto that text. */
function toParts(parts: readonly Part[], called: CalledNames): OrError<GeminiPart[]> {
  const out: GeminiPart[] = [];
  let signature: string | undefined;
  for (const part of parts) {
    if (part.type === 'reasoning') signature = ownSignature(VENDOR, part.signature) ?? signature;
    const made = toPart(part, called);
    if (made instanceof GatewayError) return made;
    if (made === undefined) continue;
    if (signature !== undefined && made['thoughtSignature'] === undefined) {
      made['thoughtSignature'] = signature;
      signature = undefined;
    }
    out.push(made);
  }
  return out;
}

/** The first call of each step carries the signature of the step; parallel ones behind it have none. */
function sign(parts: readonly GeminiPart[]): void {
  const first = parts.find((part) => part['functionCall'] !== undefined);
  if (first) first['thoughtSignature'] ??= NO_SIGNATURE;
}
