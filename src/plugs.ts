import type { Configuration } from './config/configuration.ts';
import { anthropicMessages } from './dialects/anthropic-messages/index.ts';
import type { ApiForm, Dialect } from './dialects/dialect.ts';
import { openAiChat } from './dialects/openai-chat/index.ts';
import { plug as anthropic } from './providers/anthropic/index.ts';
import { anthropicWire } from './providers/anthropic/wire.ts';
import { demoAccount } from './providers/demo/index.ts';
import { plug as ollama } from './providers/ollama/index.ts';
import { plug as openai } from './providers/openai/index.ts';
import type { ProviderAccount, ProviderPlug, Wire } from './providers/provider.ts';
import { plug as selfHostedModel } from './providers/self-hosted-model/index.ts';

/** The one file that names vendors and dialects; everybody else is handed these lists. */
export const PLUGS: readonly ProviderPlug[] = [openai, anthropic, selfHostedModel, ollama];
export const DIALECTS: readonly Dialect[] = [openAiChat];
/** What is known of each form, whether a client speaks it or a provider. */
export const FORMS: readonly ApiForm[] = [...DIALECTS, anthropicMessages];
/** Those that have a translation. */
export const WIRES: readonly Wire[] = [anthropicWire];

const byType = new Map(PLUGS.map((plug) => [plug.type, plug]));

/** The accounts of a configuration, the demo account among them where it applies. */
export function openAccounts(configuration: Configuration): ProviderAccount[] {
  const accounts = configuration.accounts.map((manifest) => {
    const plug = byType.get(manifest.type);
    if (!plug) throw new Error(`no plug for ${manifest.type}: config must have refused it`);
    return plug.open(manifest);
  });
  const { demo } = configuration.server;
  if (demo === true || (demo === 'auto' && accounts.length === 0)) accounts.push(demoAccount());
  return accounts;
}
