import { parseObject } from '../../codec/json-value.ts';
import type { OrError } from '../../core/exchange.ts';
import type { InferenceEvent } from '../../inference/event.ts';
import { eventReader, fromResponse as fromCompletion } from '../openai-compatible/from-chunk.ts';
import { openAiChatWire } from '../openai-compatible/wire.ts';
import type { EventReader, Target, Translation, Wire } from '../provider.ts';
import { ResponseReader } from './response-reader.ts';
import { asksResponses, isResponsesBody, toResponsesRequest } from './response-request.ts';

const chat = openAiChatWire.translation!;

const toRequest: Translation['toRequest'] = (request, target) =>
  'messages' in request && asksResponses(request) ? toResponsesRequest(request) : chat.toRequest(request, target);

/** What hosts change of a chat is no part of a response. */
function adapted(body: Buffer, target: Target): OrError<Buffer> {
  return isResponsesBody(body) ? body : chat.adapted!(body, target);
}

function fromResponse(body: Buffer): OrError<InferenceEvent[]> {
  const answer = parseObject(body.toString('utf8'));
  if (answer?.['object'] !== 'response') return fromCompletion(body);
  const events: InferenceEvent[] = [];
  new ResponseReader().whole(answer, events);
  return events;
}

/** The name of an event, or where it has none its data; a text that quotes it has escapes in it. */
const RESPONSE_EVENT = /^response\.|"type"\s*:\s*"response\./;

/** The first event tells which of the two forms was asked for. */
class EitherReader implements EventReader {
  #reader: EventReader | undefined;

  get complete(): boolean {
    return this.#reader?.complete === true;
  }

  get finished(): boolean {
    return this.#reader?.finished === true;
  }

  fromEvent(name: string | undefined, data: string, out: InferenceEvent[]): void {
    this.#reader ??= RESPONSE_EVENT.test(name ?? data) ? new ResponseReader() : eventReader();
    this.#reader.fromEvent(name, data, out);
  }
}

/**
 * Chat completions of OpenAI itself: bytes pass to a client of that form. A request of another form is asked as a response
 * where the model refuses in a chat what it asks for.
 */
export const openAiOwnChatWire: Wire = {
  ...openAiChatWire,
  name: 'openai-chat-or-response',
  envelope: { form: openAiChatWire.name },
  translation: { ...chat, toRequest, adapted, fromResponse, eventReader: () => new EitherReader() },
};
