// What every page needs: the tag `html`, calls of the admin API, the address after `#`, and how numbers are written.
import htm from './lib/htm.js';
import { useCallback, useContext, useEffect, useRef, useState } from './lib/hooks.js';
import { createContext, h } from './lib/preact.js';

/** Text that is put into it becomes a text node or an attribute, never markup. */
export const html = htm.bind(h);

/** The person who is signed in, as `GET /console/session` says. */
export const SessionContext = createContext(undefined);

const RANKS = ['viewer', 'operator', 'admin'];

/** Whether who is signed in may do what needs that role. */
export function useMay(role) {
  const session = useContext(SessionContext);
  return !session.read_only && RANKS.indexOf(session.role) >= RANKS.indexOf(role);
}

/** A refusal in the gateway's own words. */
export class Refusal extends Error {
  constructor(status, code, message, param) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

let csrf = '';
let onSignedOut = () => {};

/** Called by the shell when it knows the session. */
export function useSessionForCalls(session, signedOut) {
  csrf = session?.csrf ?? '';
  onSignedOut = signedOut;
}

/** The answer as it is, for those that read it piece by piece. Throws a Refusal where it is none. */
export async function ask(path, { method = 'GET', body, signal } = {}) {
  const headers = {};
  if (method !== 'GET') headers['x-csrf-token'] = csrf;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      signal,
      credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (cause.name === 'AbortError') throw cause;
    throw new Refusal(0, 'unreachable', 'The gateway does not answer. It may be stopped, or the network is away.');
  }
  if (answer.ok) return answer;
  throw await refusalOf(answer, path);
}

async function refusalOf(answer, path) {
  let error;
  try {
    ({ error } = await answer.json());
  } catch {
    // No JSON: somebody between the browser and the gateway answered.
  }
  const words = error?.message ?? `${path.split('?')[0]} answered with status ${answer.status}.`;
  const message = answer.status === 404 && error?.code === 'path_not_found' ? NOT_SERVED : words;
  if (answer.status === 401 && path.startsWith('/admin/')) onSignedOut();
  return new Refusal(answer.status, error?.code ?? 'unknown', message, error?.param);
}

const NOT_SERVED = 'This gateway does not serve it. The admin API needs `operator.admin_key`; an older version has less of it.';

/** The answer as JSON. */
export async function call(path, options) {
  const answer = await ask(path, options);
  const text = await answer.text();
  return text === '' ? undefined : JSON.parse(text);
}

/**
 * What `GET path` answers, asked anew when the path changes, and each `everyMs` while the page is looked at. What was known
 * stays while the next answer is on its way. Undefined path: nothing is asked.
 */
export function useAnswer(path, { everyMs } = {}) {
  const [state, setState] = useState({ path: undefined });
  const [turn, setTurn] = useState(0);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => {
    if (path === undefined) return undefined;
    const aborter = new AbortController();
    call(path, { signal: aborter.signal }).then(
      (data) => setState({ path, data }),
      (error) => {
        if (error.name !== 'AbortError') setState((before) => ({ path, error, data: before.path === path ? before.data : undefined }));
      },
    );
    return () => aborter.abort();
  }, [path, turn]);
  useEffect(() => {
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => document.hidden || again(), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, again]);
  const isOf = state.path === path;
  return { data: isOf ? state.data : undefined, error: isOf ? state.error : undefined, isLoading: !isOf, again };
}

/** Something that is done on a press: `run` does it, once at a time. */
export function useAction(act) {
  const [state, setState] = useState({});
  const running = useRef(false);
  const run = async (...parameters) => {
    if (running.current) return;
    running.current = true;
    setState({ isBusy: true });
    try {
      setState({ done: (await act(...parameters)) ?? true });
    } catch (error) {
      setState({ error });
    }
    running.current = false;
  };
  return { ...state, run, clear: () => setState({}) };
}

/** Path and parameters behind `#`. */
export function readAddress() {
  const written = location.hash.replace(/^#/, '') || '/';
  const mark = written.indexOf('?');
  const path = mark === -1 ? written : written.slice(0, mark);
  return { path, query: new URLSearchParams(mark === -1 ? '' : written.slice(mark)) };
}

/** An address in this console; parameters that are empty are left out. */
export function to(path, parameters = {}) {
  const query = queryOf(parameters);
  return `#${path}${query === '' ? '' : `?${query}`}`;
}

export function queryOf(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== '') query.append(name, String(each));
    }
  }
  return query.toString();
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** A count, with all its digits up to a hundred thousand. */
export function count(value) {
  if (value === null || value === undefined) return '–';
  return Math.abs(value) < 100_000 ? whole.format(value) : short.format(value);
}

/** Nano-dollars: cents where it is much, all digits that say something where it is little. */
export function money(nanoUsd) {
  if (nanoUsd === null || nanoUsd === undefined) return 'unknown';
  return dollars(nanoUsd / 1e9);
}

export function dollars(usd) {
  if (usd === 0) return '$0';
  if (Math.abs(usd) >= 100_000) return `$${short.format(usd)}`;
  const places = Math.abs(usd) >= 1 ? 2 : Math.min(9, 2 - Math.floor(Math.log10(Math.abs(usd))));
  return `$${usd.toLocaleString('en', { minimumFractionDigits: Math.min(2, places), maximumFractionDigits: places })}`;
}

export function milliseconds(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 10_000) return `${whole.format(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

export function bytes(size) {
  if (size === null || size === undefined) return '–';
  return size < 1024 ? `${size} B` : `${short.format(size)}B`;
}

/** A moment in the time of this browser. */
export function moment(text) {
  if (text === null || text === undefined) return '–';
  const at = new Date(typeof text === 'number' && text < 1e12 ? text * 1000 : text);
  if (Number.isNaN(at.getTime())) return String(text);
  return at.toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium' });
}

export function plural(amount, one, many = `${one}s`) {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}
