import type { BodyStretch } from '../../inference/form-part.ts';
import type { ImageSource } from '../../inference/image.ts';

/**
 * A JSON body in which files of the client's form stand as base64. Each is a stretch of the client's body that is encoded
 * when it is sent, so that nobody holds it twice.
 */
export class InlineBody {
  /** What the client wrote cannot hold it: it is made for each body. */
  readonly #mark = crypto.randomUUID();
  readonly #stretches: BodyStretch[] = [];

  /** What stands for its base64 in the object that is written; undefined: it is named by an address of the web. */
  base64(source: ImageSource): string | undefined {
    if ('base64' in source && typeof source.base64 === 'string') return source.base64;
    if (!('start' in source)) return undefined;
    const { start, end } = source;
    this.#stretches.push({ start, end, base64: true });
    return this.#mark;
  }

  /** Files stand in the order in which they were asked for. */
  write(value: object): Buffer | (Buffer | BodyStretch)[] {
    const texts = JSON.stringify(value).split(this.#mark);
    const [only] = texts;
    if (texts.length === 1) return Buffer.from(only!);
    return texts.flatMap((text, index) => {
      const stretch = this.#stretches[index];
      return stretch === undefined ? [Buffer.from(text)] : [Buffer.from(text), stretch];
    });
  }
}

/** Its media type; of one that is named by an address nobody knows it. */
export function imageType(source: ImageSource): string | undefined {
  return 'mediaType' in source ? source.mediaType : undefined;
}
