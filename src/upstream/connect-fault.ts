const UNKNOWN_AUTHORITY =
  'Its certificate comes from an authority that is not trusted here; upstream.ca_file can name it.';
const NO_TLS = 'It does not speak TLS at this port: write http:// if that is meant, or the port that does.';
const NO_COMMON_TLS = 'It and the gateway share no version or cipher of TLS, or it wants a certificate of its client.';
const NOT_REACHED = 'No route leads to its address.';

/** What Node's codes of a connection that never came to be mean to the person who wrote its address. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at its address and port.',
  ENOTFOUND: 'Its host name is not known.',
  EAI_AGAIN: 'No name server answered for its host name.',
  EHOSTUNREACH: NOT_REACHED,
  ENETUNREACH: NOT_REACHED,
  ETIMEDOUT: 'Nothing answers at its address.',
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_UNSUPPORTED_PROTOCOL: NO_COMMON_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NO_COMMON_TLS,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: NO_COMMON_TLS,
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': NO_COMMON_TLS,
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'It has no certificate for this host name.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its certificate is for another host name.',
  CERT_HAS_EXPIRED: 'Its certificate has expired.',
  CERT_NOT_YET_VALID: 'Its certificate is not valid yet.',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
};

/** With the code behind the words; undefined: the connection was there, or nobody has words for what happened. */
export function connectWords(code: unknown): string | undefined {
  const words = typeof code === 'string' && Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  return words && `${words.slice(0, -1)} (${code}).`;
}

/** Whether a connection with this code never carried a request. */
export function isConnectFault(code: string): boolean {
  return Object.hasOwn(WORDS, code) || code.startsWith('ERR_TLS') || code.includes('CERT');
}
