import type { FilePart } from './form-part.ts';

/** The neutral request for images, used only when dialect and wire differ. */
export interface ImageRequest {
  /** The provider's model id, not the client's. */
  readonly model: string;
  /** Undefined: a variation of what it is given. */
  readonly prompt: string | undefined;
  /** How many. */
  readonly images: number;
  /** `1024x1536`; undefined: not said, or `auto`. */
  readonly size: string | undefined;
  readonly quality: string | undefined;
  /** As an address; else as base64. */
  readonly asUrl: boolean;
  /** `png`, `jpeg`, `webp`. */
  readonly outputFormat: string | undefined;
  /** The images to change; empty: a new image. */
  readonly sources: readonly ImageSource[];
  readonly mask: ImageSource | undefined;
  /** Everything else the client sent at the top level, by its own key. */
  readonly extra: Readonly<Record<string, unknown>>;
}

export type ImageSource = FilePart | { readonly url: string } | { readonly base64: string; readonly mediaType: string };
