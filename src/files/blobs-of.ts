import { join } from 'node:path';
import type { HttpClient } from '../core/http-client.ts';
import type { BlobStore } from './blob-store.ts';
import { DiskBlobs } from './disk-blobs.ts';
import { S3Blobs } from './s3-blobs.ts';
import { S3Client, s3Address } from './s3-client.ts';

export interface SettledStore extends BlobStore {
  /** What this owner left half way when it died: with a row it is shown, without one it goes. Gives how many. */
  settle(hasRow: (id: string) => Promise<boolean>): Promise<number>;
}

export function blobFolder(dataDir: string): string {
  return join(dataDir, 'blobs');
}

/** `owner` tells those apart whose blobs are on their way. */
export function blobsOf(
  settings: { readonly dataDir: string; readonly store: { readonly blobs: string } },
  owner: string,
  http: HttpClient,
): SettledStore {
  const disk = new DiskBlobs(blobFolder(settings.dataDir), owner);
  const { blobs } = settings.store;
  return blobs === 'disk' ? disk : new S3Blobs(new S3Client(s3Address(blobs), http), disk);
}
