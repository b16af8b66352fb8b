/**
 * The key a request carries: `Authorization: Bearer KEY` (RFC 6750; the scheme in any case, the key may hold spaces; Deepgram's
 * SDKs write `Token`), else `x-api-key`, else `api-key`, else what SDKs of other vendors send. Absent and empty headers
 * are the same. Undefined: none was sent.
 */
export function presentedKey(
  authorization: string | undefined,
  xApiKey: string | undefined,
  apiKey: string | undefined,
  vendorKey?: string | undefined,
): string | undefined {
  // Nearly all clients write it so.
  if (authorization?.startsWith('Bearer ') && authorization.charCodeAt(7) > 0x20) return authorization.slice(7);
  const bearer = authorization ? keyBehind(authorization, 'bearer ') || keyBehind(authorization, 'token ') : '';
  return bearer || xApiKey || apiKey || vendorKey || undefined;
}

export function bearerKey(authorization: string): string {
  return keyBehind(authorization, 'bearer ');
}

function keyBehind(authorization: string, scheme: string): string {
  if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) return '';
  let start = scheme.length;
  while (authorization.charCodeAt(start) === 0x20) start += 1;
  return authorization.slice(start);
}
