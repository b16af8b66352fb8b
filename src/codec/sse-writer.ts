/**
 * Server-sent events as bytes. `json` must hold no line end (JSON.stringify without indent never does); what may hold
 * one is not for here.
 */

/** `data: …` and the empty line that ends the event. */
export function dataEvent(json: string): Buffer {
  return Buffer.from(`data: ${json}\n\n`);
}
