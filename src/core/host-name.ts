/** Whether a host is this machine, by names and addresses that lead nowhere else whatever a resolver says. */
export function isLoopback(host: string): boolean {
  return /^(?:127(?:\.\d{1,3}){3}|localhost|::1|\[::1\])$/.test(host);
}

/** The host of a URL as connections take it: URLs write IPv6 addresses in brackets. */
export function withoutBrackets(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** The host under which this machine reaches a listener, as URLs write it. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
