/*
 * Items of a response as they are made, each with its events:
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */

/** Writes one event with its number: `type` first, as the service does. */
export type Emit = (type: string, fields: object) => void;

/** One item, begun and not done. */
export interface OpenItem {
  /** What comes last of it; the item as it stands in the output. */
  close(emit: Emit, status: 'completed' | 'incomplete'): object;
}

interface Place {
  readonly item_id: string;
  readonly output_index: number;
}

/** Text or a refusal of a message. */
class MessagePart {
  text = '';
  readonly #kind: 'output_text' | 'refusal';
  readonly #place: Place & { readonly content_index: number };
  readonly #annotations: object[] = [];
  readonly #logprobs: unknown[] = [];

  constructor(kind: 'output_text' | 'refusal', place: Place, index: number, emit: Emit) {
    this.#kind = kind;
    this.#place = { ...place, content_index: index };
    emit('response.content_part.added', { ...this.#place, part: this.json() });
  }

  get kind(): 'output_text' | 'refusal' {
    return this.#kind;
  }

  json(): object {
    if (this.#kind === 'refusal') return { type: 'refusal', refusal: this.text };
    return { type: 'output_text', text: this.text, annotations: this.#annotations, logprobs: this.#logprobs };
  }

  add(text: string, emit: Emit): void {
    this.text += text;
    if (this.#kind === 'refusal') emit('response.refusal.delta', { ...this.#place, delta: text });
    else emit('response.output_text.delta', { ...this.#place, delta: text, logprobs: [] });
  }

  annotate(annotation: object, emit: Emit): void {
    const annotation_index = this.#annotations.length;
    this.#annotations.push(annotation);
    emit('response.output_text.annotation.added', { ...this.#place, annotation_index, annotation });
  }

  addLogprobs(entries: readonly unknown[]): void {
    // Not spread: every entry would be an argument on the stack.
    for (const entry of entries) this.#logprobs.push(entry);
  }

  close(emit: Emit): object {
    const part = this.json();
    if (this.#kind === 'refusal') emit('response.refusal.done', { ...this.#place, refusal: this.text });
    else emit('response.output_text.done', { ...this.#place, text: this.text, logprobs: this.#logprobs });
    emit('response.content_part.done', { ...this.#place, part });
    return part;
  }
}

export class MessageItem implements OpenItem {
  readonly #place: Place;
  readonly #done: object[] = [];
  #part: MessagePart | undefined;

  constructor(place: Place, emit: Emit) {
    this.#place = place;
    emit('response.output_item.added', { output_index: place.output_index, item: this.#json('in_progress') });
  }

  /** The part of this kind that is open, or a new one behind it. */
  part(kind: 'output_text' | 'refusal', emit: Emit): MessagePart {
    if (this.#part?.kind !== kind) {
      this.#closePart(emit);
      this.#part = new MessagePart(kind, this.#place, this.#done.length, emit);
    }
    return this.#part;
  }

  close(emit: Emit, status: 'completed' | 'incomplete'): object {
    this.#closePart(emit);
    const item = this.#json(status);
    emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #closePart(emit: Emit): void {
    if (this.#part) this.#done.push(this.#part.close(emit));
    this.#part = undefined;
  }

  #json(status: string): object {
    return { id: this.#place.item_id, type: 'message', status, role: 'assistant', content: [...this.#done] };
  }
}

/** One block of reasoning. What its vendor shows of it is told as a summary, which is what clients show. */
export class ReasoningItem implements OpenItem {
  text = '';
  encrypted: string | undefined;
  readonly #place: Place;

  constructor(place: Place, emit: Emit) {
    this.#place = place;
    emit('response.output_item.added', { output_index: place.output_index, item: this.#json('in_progress', []) });
  }

  add(text: string, emit: Emit): void {
    const place = { ...this.#place, summary_index: 0 };
    if (this.text === '') {
      emit('response.reasoning_summary_part.added', { ...place, part: { type: 'summary_text', text: '' } });
    }
    this.text += text;
    emit('response.reasoning_summary_text.delta', { ...place, delta: text });
  }

  close(emit: Emit, status: 'completed' | 'incomplete'): object {
    const { text } = this;
    const place = { ...this.#place, summary_index: 0 };
    const summary = text === '' ? [] : [{ type: 'summary_text', text }];
    if (text !== '') {
      emit('response.reasoning_summary_text.done', { ...place, text });
      emit('response.reasoning_summary_part.done', { ...place, part: summary[0] });
    }
    const item = this.#json(status, summary);
    emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #json(status: string, summary: readonly object[]): object {
    const { encrypted } = this;
    return {
      id: this.#place.item_id,
      type: 'reasoning',
      status,
      summary,
      ...(encrypted !== undefined && { encrypted_content: encrypted }),
    };
  }
}

/** A call of a function. */
export class FunctionCallItem implements OpenItem {
  argumentsText = '';
  readonly #place: Place;
  readonly #called: object;
  readonly #name: string;

  constructor(place: Place, call: { callId: string; name: string; namespace: string | undefined }, emit: Emit) {
    this.#place = place;
    this.#name = call.name;
    this.#called = {
      call_id: call.callId,
      name: call.name,
      ...(call.namespace !== undefined && { namespace: call.namespace }),
    };
    emit('response.output_item.added', { output_index: place.output_index, item: this.#json('in_progress') });
  }

  add(text: string, emit: Emit): void {
    this.argumentsText += text;
    emit('response.function_call_arguments.delta', { ...this.#place, delta: text });
  }

  close(emit: Emit, status: 'completed' | 'incomplete'): object {
    const done = { ...this.#place, name: this.#name, arguments: this.argumentsText };
    emit('response.function_call_arguments.done', done);
    const item = this.#json(status);
    emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #json(status: string): object {
    const { item_id: id } = this.#place;
    return { id, type: 'function_call', status, arguments: this.argumentsText, ...this.#called };
  }
}

/** A call of a custom tool. Its input comes within the arguments of a function, and is known when they are whole. */
export class CustomCallItem implements OpenItem {
  argumentsText = '';
  readonly #place: Place;
  readonly #called: object;
  readonly #inputOf: (argumentsText: string) => string | undefined;

  constructor(
    place: Place,
    call: { callId: string; name: string; namespace: string | undefined },
    inputOf: (argumentsText: string) => string | undefined,
    emit: Emit,
  ) {
    this.#place = place;
    this.#inputOf = inputOf;
    this.#called = {
      call_id: call.callId,
      name: call.name,
      ...(call.namespace !== undefined && { namespace: call.namespace }),
    };
    emit('response.output_item.added', { output_index: place.output_index, item: this.#json('in_progress', '') });
  }

  add(text: string): void {
    this.argumentsText += text;
  }

  close(emit: Emit, status: 'completed' | 'incomplete'): object {
    const input = this.#inputOf(this.argumentsText) ?? this.argumentsText;
    if (input !== '') emit('response.custom_tool_call_input.delta', { ...this.#place, delta: input });
    emit('response.custom_tool_call_input.done', { ...this.#place, input });
    const item = this.#json(status, input);
    emit('response.output_item.done', { output_index: this.#place.output_index, item });
    return item;
  }

  #json(status: string, input: string): object {
    return { id: this.#place.item_id, type: 'custom_tool_call', status, input, ...this.#called };
  }
}
