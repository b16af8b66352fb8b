import { nearNames } from '../../core/near-names.ts';
import { type Manifest, positionOf } from '../documents/manifests.ts';
import { cut, didYouMean, type Fault, type PathSegment } from '../fault.ts';
import { CHANNEL_ACCOUNTS } from '../kinds/channel-accounts.ts';
import type { KindContext } from '../kinds/manifest-kind.ts';
import { parseResourceName } from '../resource-name.ts';
import type { Channel } from './channel-integrations.ts';
import type { NotificationTarget, WrittenTarget } from './notification-target.ts';

interface NamedChannel {
  readonly account: string;
  readonly integration: string;
  readonly channel: Channel;
}

/** All notification channels of a configuration, and the way from a target that names one to a target that holds it. */
export class ChannelDirectory {
  readonly #all: readonly NamedChannel[];
  /** Names of accounts whose manifest has a fault: that is told already, a second fault at each reference is noise. */
  readonly #faulty: ReadonlySet<string>;

  constructor(all: readonly NamedChannel[], faulty: ReadonlySet<string>) {
    this.#all = all;
    this.#faulty = faulty;
  }

  /** The only e-mail channel there is; undefined: none, or several. */
  onlyEmail(): Extract<Channel, { type: 'email' }> | undefined {
    const found = this.#all.flatMap(({ channel }) => (channel.type === 'email' ? [channel] : []));
    return found.length === 1 ? found[0] : undefined;
  }

  resolve(
    written: WrittenTarget,
    manifest: Manifest,
    path: readonly PathSegment[],
  ): NotificationTarget | Fault | undefined {
    const name = written.notification_channel;
    const found = this.#named(name);
    const fitting = found.filter(({ channel }) => channel.type === written.type);
    if (fitting.length === 1 && fitting[0]) return targetOf(written, fitting[0].channel);
    if (found.length === 0 && this.#isFaulty(name)) return undefined;
    const at = {
      ...positionOf(manifest, [...path, 'notification_channel']),
      found: `the text ${JSON.stringify(cut(name))}`,
    };
    const allowed = '`<account>/<integration>` of a notification channel';
    if (fitting.length > 1) {
      const remedy = `Say which: ${fitting.map(fullName).join(' or ')}`;
      return { code: 'invalid-value', ...at, message: 'several channels have this name', allowed, remedy };
    }
    if (found[0]) {
      const message = `this is a channel of the type \`${found[0].channel.type}\`, and the target is \`${written.type}\``;
      return { code: 'invalid-value', ...at, message };
    }
    const candidates = this.#all.flatMap((each) => [`${each.account}/${each.integration}`, each.integration]);
    const remedy = didYouMean(nearNames(name, new Set(candidates)));
    return { code: 'invalid-value', ...at, message: 'there is no such channel', allowed, remedy };
  }

  #named(name: string): NamedChannel[] {
    const { account, integration } = parseResourceName(name) ?? {};
    if (integration !== undefined) {
      return this.#all.filter((each) => each.account === account && each.integration === integration);
    }
    const bare = this.#all.filter((each) => each.integration === account);
    if (bare.length > 0) return bare;
    // An account with one channel is named by itself as well.
    return this.#all.filter((each) => each.account === account);
  }

  #isFaulty(name: string): boolean {
    const { account, integration } = parseResourceName(name) ?? {};
    return integration === undefined ? this.#faulty.size > 0 : this.#faulty.has(account ?? '');
  }
}

function fullName({ account, integration }: NamedChannel): string {
  return `\`${account}/${integration}\``;
}

/** Undefined where the two are not of one type. */
function targetOf(written: WrittenTarget, channel: Channel): NotificationTarget | undefined {
  if (channel.type === 'email') {
    return written.type === 'email' ? { ...channel, to: written.to_emails } : undefined;
  }
  if (channel.type === 'slack-bot') {
    return written.type === 'slack-bot' ? { ...channel, channels: written.channels } : undefined;
  }
  return channel;
}

export function channelDirectory(context: KindContext): ChannelDirectory {
  const all = CHANNEL_ACCOUNTS.flatMap((kind) => context.written(kind)).flatMap(({ value }) =>
    value.integrations.flatMap((integration) =>
      'channel' in integration
        ? [{ account: value.name, integration: integration.name, channel: integration.channel }]
        : [],
    ),
  );
  return new ChannelDirectory(all, new Set(CHANNEL_ACCOUNTS.flatMap((kind) => context.faultyNames(kind))));
}
