import { resolve } from 'node:path';
import type { PriceSettings } from '../configuration.ts';
import { readBytes } from '../documents/manifest-files.ts';
import type { Fault } from '../fault.ts';
import { isSignedBy, MAX_PRICE_LIST_BYTES, MAX_SIGNATURE_BYTES, readPriceList } from '../price-list.ts';
import type { WrittenServer } from '../server-schema.ts';

const HOUR_MS = 3_600_000;

export interface ReadPrices {
  settings?: PriceSettings;
  /** The list and its signature, where they are files: a change of one is a change of the configuration. */
  files: string[];
  fault?: Pick<Fault, 'code' | 'message' | 'remedy'>;
}

/** A list in a file is read here and is a part of the configuration; one at an address is fetched by the main thread. */
export function priceSettings(written: WrittenServer['prices'], folder: string): ReadPrices {
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
  const prices = readPriceList(list.bytes);
  if (typeof prices === 'string') return { files, fault: { code: 'invalid-value', message: `${path}: ${prices}` } };
  return { settings: { ...settings, list: prices }, files };
}

function unreadable(file: string, reason: string): ReadPrices['fault'] {
  return { code: 'unreadable', message: `cannot read ${file}: ${reason}` };
}
