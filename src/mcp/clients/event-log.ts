/** Events of one stream that are kept so that a client can come back for them. */
const MAX_LOGGED_EVENTS = 256;

/** One stream of a session, in the order of its events. Bounded in number and, over all streams of a session, in bytes. */
export class EventLog {
  readonly stream: string;
  done = false;
  bytes = 0;
  readonly #maxBytes: number;
  #events: { readonly number: number; readonly json: string }[] = [];
  #next = 1;

  constructor(stream: string, maxBytes: number) {
    this.stream = stream;
    this.#maxBytes = maxBytes;
  }

  idOf(number: number): string {
    return `${this.stream}-${number}`;
  }

  /** Its id. */
  add(json: string): string {
    const number = this.#next;
    this.#next += 1;
    this.#events.push({ number, json });
    this.bytes += json.length;
    while (this.#events.length > 1 && (this.#events.length > MAX_LOGGED_EVENTS || this.bytes > this.#maxBytes)) {
      this.bytes -= this.#events.shift()?.json.length ?? 0;
    }
    return this.idOf(number);
  }

  /** Those behind the one with this number that are still there. */
  after(number: number): { readonly id: string; readonly json: string }[] {
    return this.#events
      .filter((event) => event.number > number)
      .map(({ number: at, json }) => ({ id: this.idOf(at), json }));
  }
}

/** The stream and number of an id. */
export function readEventId(id: string): { readonly stream: string; readonly number: number } | undefined {
  const match = /^([A-Za-z0-9]{1,40})-(\d{1,12})$/.exec(id);
  return match ? { stream: match[1]!, number: Number(match[2]) } : undefined;
}
