import { resolve } from 'node:path';
import { z } from 'zod';
import { readBytes } from '../documents/manifest-files.ts';
import type { Fault } from '../fault.ts';
import {
  isSignedBy,
  MAX_PRICE_LIST_BYTES,
  MAX_SIGNATURE_BYTES,
  type PriceList,
  readPriceList,
  signingKey,
} from '../price-list.ts';
import { keyWithDefault, optionalKey, text, wholeNumber } from '../scalar-schema.ts';
import { isListUrl } from './safe-address.ts';

const publicKeyError = 'an Ed25519 key, as PEM or as its 32 bytes in base64';
const listUrlError =
  'an https:// address (http:// with `public_key`, or on this machine) without user name and fragment';
export const prices = optionalKey(
  z
    .object({
      file: optionalKey(text()).describe('A price list as JSON; a change is seen as one of a manifest is.'),
      url: optionalKey(z.string({ error: listUrlError })).describe('Where a price list is fetched from.'),
      refresh_hours: keyWithDefault(wholeNumber(1, 8760), 24).describe('How often it is fetched again.'),
      public_key: optionalKey(
        z.string({ error: publicKeyError }).refine((key) => signingKey(key) !== undefined, { error: publicKeyError }),
      ).describe('Whose signature must stand beside the list, under the same name with `.sig` at its end.'),
    })
    .superRefine(({ file, url, public_key: publicKey }, context) => {
      if ((file === undefined) === (url === undefined)) {
        const message = 'exactly one of `file` and `url`';
        const found = file === undefined ? 'neither' : 'both';
        context.issues.push({
          code: 'custom',
          message,
          params: { message: 'it must be said once where the list is', found },
          input: file,
        });
      } else if (url !== undefined && !isListUrl(url, publicKey !== undefined)) {
        context.issues.push({ code: 'custom', message: listUrlError, path: ['url'], input: url });
      }
    }),
);

/** Where list prices come from that stand before those of the price library. */
export interface PriceSettings {
  /** The list as the file has it, or as the address gave it last, if it gave one. */
  list?: PriceList;
  url?: string;
  publicKey?: string;
  refreshMs: number;
}

const HOUR_MS = 3_600_000;

export interface ReadPrices {
  settings?: PriceSettings;
  /** The list and its signature, where they are files: a change of one is a change of the configuration. */
  files: string[];
  fault?: Pick<Fault, 'code' | 'message' | 'remedy'>;
}

/** A list in a file is read here and is a part of the configuration; one at an address is fetched by the main thread. */
export function priceSettings(written: z.output<typeof prices>, folder: string): ReadPrices {
  if (written === undefined) return { files: [] };
  const { file, url, refresh_hours: hours, public_key: publicKey } = written;
  const settings: PriceSettings = {
    ...(url !== undefined && { url }),
    ...(publicKey !== undefined && { publicKey }),
    refreshMs: hours * HOUR_MS,
  };
  if (file === undefined) return { settings, files: [] };
  const path = resolve(folder, file);
  const list = readBytes(path, MAX_PRICE_LIST_BYTES);
  if ('reason' in list) return { files: [path], fault: unreadable(path, list.reason) };
  const files = [path];
  if (publicKey !== undefined) {
    const signatureFile = `${path}.sig`;
    files.push(signatureFile);
    const signature = readBytes(signatureFile, MAX_SIGNATURE_BYTES);
    if ('reason' in signature) return { files, fault: unreadable(signatureFile, signature.reason) };
    if (!isSignedBy(publicKey, list.bytes, signature.bytes)) {
      const message = `${signatureFile} is not the signature of ${path} by \`public_key\``;
      return { files, fault: { code: 'invalid-value', message, remedy: 'Sign the list that is there now' } };
    }
  }
  const content = readPriceList(list.bytes);
  if (typeof content === 'string') return { files, fault: { code: 'invalid-value', message: `${path}: ${content}` } };
  return { settings: { ...settings, list: content }, files };
}

function unreadable(file: string, reason: string): ReadPrices['fault'] {
  return { code: 'unreadable', message: `cannot read ${file}: ${reason}` };
}
