import type { ServerSettings } from '../config/server/server-settings.ts';
import type { MediaFetcher } from '../relay/media-by-address.ts';
import type { MediaFetches } from '../upstream/fetch-media.ts';

/** One for a relay thread. Its code is loaded with the first address: a gateway that is asked for none is ready sooner. */
export function mediaFetcher(): (settings: ServerSettings) => MediaFetcher {
  let loaded: Promise<MediaFetches> | undefined;
  // One for all exchanges of a configuration: each stream would hold its own for as long as it is open.
  let latest: { readonly settings: ServerSettings; readonly fetch: MediaFetcher } | undefined;
  return (settings) => {
    if (latest?.settings === settings) return latest.fetch;
    const fetch: MediaFetcher = async (addresses, signal) => {
      loaded ??= import('../upstream/fetch-media.ts').then(({ MediaFetches: Made }) => new Made());
      return (await loaded).fetch(addresses, settings, signal);
    };
    latest = { settings, fetch };
    return fetch;
  };
}
