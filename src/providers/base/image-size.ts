import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { ImageRequest } from '../../inference/image.ts';

/** Width by height, as `1024x1536`; or the ratio alone, as `3:2`. */
const SIZE = /^(\d{1,5})([x:])(\d{1,5})$/;
/** `1792x1024` means 16:9, and is not quite that. */
const NEARLY = 0.02;

export interface AskedSize {
  readonly width: number;
  readonly height: number;
  /** Only their ratio was said. */
  readonly isRatio: boolean;
}

/** Undefined: the client left it open. */
export function sizeOf({ size }: ImageRequest): OrError<AskedSize | undefined> {
  if (size === undefined) return undefined;
  const [, width, sign, height] = SIZE.exec(size) ?? [];
  if (Number(width) > 0 && Number(height) > 0) {
    return { width: Number(width), height: Number(height), isRatio: sign === ':' };
  }
  const detail = '`size`: It must be width by height, as `1024x1024`, or `auto`.';
  return new GatewayError('invalid_parameter', { param: 'size', detail });
}

/** The ratio among `allowed` that the size has; undefined: it was left open. An image of another shape is another image. */
export function ratioOf(
  request: ImageRequest,
  provider: string,
  allowed: readonly string[],
): OrError<string | undefined> {
  const size = sizeOf(request);
  if (size === undefined || size instanceof GatewayError) return size;
  const asked = size.width / size.height;
  const near = allowed.find((each) => {
    const [width, height] = each.split(':').map(Number);
    return Math.abs(asked / (width! / height!) - 1) <= NEARLY;
  });
  if (near !== undefined) return near;
  return new GatewayError('unsupported_parameter', {
    param: 'size',
    detail: `${provider} makes images of ${allowed.join(', ')}, and \`${request.size}\` is none of these.`,
  });
}
