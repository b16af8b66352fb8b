import { z } from 'zod';
import { keyWithDefault, restrictingKey, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, type SettingsOf, section } from './section.ts';

const privateHostError = 'a host name in small letters, or an IP address';
const privateHost = z.string({ error: privateHostError }).regex(/^[a-z0-9_:.-]{1,253}$/, { error: privateHostError });

export const media = section(
  z.object({
    max_files: keyWithDefault(wholeNumber(0, 1000), 8).describe(
      'Files that one request may name by address (400); 0 fetches nothing.',
    ),
    max_bytes: keyWithDefault(wholeNumber(1024, gibibyte), 20_971_520).describe(
      'Bound of all files of one request together (400).',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 600_000), 15_000).describe(
      'Until the last byte of the last file of a request (400).',
    ),
    max_concurrent: keyWithDefault(wholeNumber(1, 10_000), 16).describe(
      'Requests per thread whose files are being fetched (503).',
    ),
    private_hosts: restrictingKey(keyWithDefault(z.array(privateHost).max(1000), [])).describe(
      'Hosts that are asked although their address is not public, as a file store of your own.',
    ),
  }),
);

/** Images and files that a request names by address, fetched for providers that take bytes alone. */
export type MediaSettings = SettingsOf<typeof media>;
