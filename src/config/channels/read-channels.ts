import type { IdentityProvider } from '../configuration.ts';
import type { PathSegment } from '../fault.ts';
import { type Manifest, parseKind, type Report, warn } from '../manifests.ts';
import { channelAccountKinds } from './channel-accounts.ts';
import { ChannelDirectory } from './channel-directory.ts';

/** An issuer and where it stands. */
export interface PlacedProvider {
  readonly provider: IdentityProvider;
  readonly account?: string;
  readonly manifest: Manifest;
  readonly path: readonly PathSegment[];
}

export interface ReadChannels {
  readonly channels: ChannelDirectory;
  /** `integration/jwt-auth/custom` stands in the same account as channels do. */
  readonly providers: PlacedProvider[];
}

export const CHANNEL_KINDS: readonly string[] = channelAccountKinds.map(({ type }) => type);

export function readChannels(manifests: readonly Manifest[], report: Report): ReadChannels {
  const channels = new ChannelDirectory();
  const providers: PlacedProvider[] = [];
  const good = new Set<Manifest>();
  for (const { type, schema } of channelAccountKinds) {
    for (const { manifest, value } of parseKind(type, schema, manifests, report)) {
      good.add(manifest);
      for (const [index, integration] of value.integrations.entries()) {
        const path = ['integrations', index];
        if ('identityProvider' in integration) {
          providers.push({ provider: integration.identityProvider, account: value.name, manifest, path });
          continue;
        }
        channels.add(value.name, integration.name, integration.channel);
        if (integration.restricted) {
          const message = 'who may use a channel is not told apart here: whoever writes manifests may name it';
          warn(report, manifest, [...path, 'authorized_subjects'], { message });
        }
      }
    }
  }
  for (const manifest of manifests) {
    if (!CHANNEL_KINDS.includes(manifest.type) || good.has(manifest)) continue;
    const { data } = manifest;
    const name = typeof data === 'object' && data !== null && 'name' in data ? data.name : undefined;
    channels.addFaulty(typeof name === 'string' ? name : '');
  }
  return { channels, providers };
}
