const MAX_MEDIA_TYPE_CHARACTERS = 200;
/** Types that clients write and no registry knows. https://www.iana.org/assignments/media-types */
const REGISTERED_TYPES: ReadonlyMap<string, string> = new Map([
  ['image/jpg', 'image/jpeg'],
  ['image/pjpeg', 'image/jpeg'],
  ['image/x-png', 'image/png'],
  ['application/x-pdf', 'application/pdf'],
  ['audio/mp3', 'audio/mpeg'],
  ['audio/x-wav', 'audio/wav'],
]);

function mediaTypeOf(written: string): string {
  const type = written.trim().toLowerCase();
  return REGISTERED_TYPES.get(type) ?? type;
}

/** `data:image/png;base64,…`. Sought with indexOf: a pattern over megabytes of base64 would stop the thread. */
export function readDataUrl(url: string): { base64: string; mediaType: string } | undefined {
  if (!/^data:/i.test(url.slice(0, 5))) return undefined;
  const comma = url.indexOf(',');
  if (comma < 0 || comma > MAX_MEDIA_TYPE_CHARACTERS) return undefined;
  const head = /^([^;]+)(?:;[^;]*)*;base64$/i.exec(url.slice(5, comma));
  return head?.[1] === undefined ? undefined : { base64: url.slice(comma + 1), mediaType: mediaTypeOf(head[1]) };
}
