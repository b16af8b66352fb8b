import type { ImageSource } from '../../../inference/image.ts';
import { type InlineBody, imageType } from '../../base/inline-data.ts';

/** The image by an address: its own, or one that holds it. */
export function dataUrl(source: ImageSource, written: InlineBody): string {
  const base64 = written.base64(source);
  if (base64 === undefined) return 'url' in source ? source.url : '';
  return `data:${imageType(source) ?? 'image/png'};base64,${base64}`;
}
