/**
 * The key a request carries: `Authorization: Bearer KEY` (RFC 6750; the scheme in any case, the key may hold spaces),
 * else `x-api-key`, else `api-key`. Absent and empty headers are the same. Undefined: none was sent.
 */
export function presentedKey(
  authorization: string | undefined,
  xApiKey: string | undefined,
  apiKey: string | undefined,
): string | undefined {
  const bearer = authorization ? bearerKey(authorization) : '';
  return bearer || xApiKey || apiKey || undefined;
}

export function bearerKey(authorization: string): string {
  if (authorization.slice(0, 7).toLowerCase() !== 'bearer ') return '';
  let start = 7;
  while (authorization.charCodeAt(start) === 0x20) start += 1;
  return authorization.slice(start);
}
