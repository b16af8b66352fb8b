import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Message, Part } from '../../inference/request.ts';
import { ownSignature } from '../../inference/signature.ts';
import { contentOf, turnsOf } from '../base/turns.ts';
import type { ModelFamily } from './model-family.ts';
import { CalledFunctions, type GeminiPart, toPart } from './to-parts.ts';
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
 * content, so that the results of parallel calls stand together behind their calls, as Gemini demands. Ids are not sent,
 * so Gemini tells two calls of one function apart by their order alone: results stand in the order of the calls,
 * wherever the client put them.
 */
export function toConversation(messages: readonly Message[], family: ModelFamily): OrError<Conversation> {
  const called = new CalledFunctions();
  const places = new Map<GeminiPart, number>();
  const conversation = turnsOf(messages, {
    provider: 'Gemini',
    toBlocks(parts) {
      const made = toParts(parts, called, places);
      if (!(made instanceof GatewayError) && family.needsSignatures) sign(made);
      return made;
    },
    isResult: (part) => places.has(part),
  });
  if (conversation instanceof GatewayError) return conversation;
  const contents = conversation.turns.map((turn): Content => {
    turn.results.sort((one, other) => places.get(one)! - places.get(other)!);
    return { role: turn.role === 'assistant' ? 'model' : 'user', parts: contentOf(turn) };
  });
  return { system: conversation.system, contents };
}

/** A signature that came behind a text stands in the conversation before it, as reasoning: it goes back onto that text. */
function toParts(
  parts: readonly Part[],
  called: CalledFunctions,
  places: Map<GeminiPart, number>,
): OrError<GeminiPart[]> {
  const out: GeminiPart[] = [];
  let signature: string | undefined;
  for (const part of parts) {
    if (part.type === 'reasoning') signature = ownSignature(VENDOR, part.signature) ?? signature;
    if (part.type === 'tool-call') called.add(part.id, part.name);
    const made = toPart(part, called);
    if (made instanceof GatewayError) return made;
    if (made === undefined) continue;
    const place = part.type === 'tool-result' ? called.get(part.toolCallId)?.place : undefined;
    if (place !== undefined) places.set(made, place);
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
