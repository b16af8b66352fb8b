/** Bytes [start, end) of the client's body: they go on from where they stand, and are copied by nobody. */
export interface BodyStretch {
  readonly start: number;
  readonly end: number;
  /** Written as base64; absent: as they are. */
  readonly base64?: true;
}

/** A file in a multipart form, where it stands in the body. */
export interface FilePart extends BodyStretch {
  /** Its field. */
  readonly name: string;
  /** As it was written, without the quotes; undefined where it has none. */
  readonly filename: string | undefined;
  readonly mediaType: string | undefined;
}

/** A multipart form as it was read: its texts in order, a name may come again. */
export interface ReadForm {
  readonly boundary: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly files: readonly FilePart[];
  /** A text that is too long to be read; undefined: there is none. */
  readonly tooLong: string | undefined;
}
