/** Why a gateway did not start: for the person at the terminal. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** The host under which this machine reaches a listener: in brackets where it is an IPv6 address. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
