/*
 * What rules and clients may say of a cached answer, and what stands for what they do not say. Clients say it in
 * `x-tfy-cache-config`.
 */

/** Three days, as the reference product has it. */
export const MAX_TTL_SECONDS = 259_200;
export const DEFAULT_TTL_SECONDS = 600;
export const DEFAULT_NAMESPACE = 'default';
export const DEFAULT_SIMILARITY = 0.9;

export const NAMESPACE = /^[A-Za-z0-9._:/@-]{1,128}$/;
export const NAMESPACE_ERROR = '1 to 128 characters of A–Z a–z 0–9 . _ : / @ -';
