/**
 * Server-sent events as bytes. `json` must hold no line end (JSON.stringify without indent never does); what may hold
 * one is not for here.
 */

/** `data: …` and the empty line that ends the event. */
export function dataEvent(json: string): Buffer {
  return Buffer.from(`data: ${json}\n\n`);
}

/** An event with a name, as Anthropic's streams have. */
export function namedEvent(event: string, json: string): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${json}\n\n`);
}

/** Keeps middle boxes awake; every client skips it. One line. */
export function comment(text: string): Buffer {
  return Buffer.from(`: ${text}\n\n`);
}
