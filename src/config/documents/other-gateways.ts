export type OtherGateway = 'LiteLLM' | 'Portkey' | 'Bifrost';

/** Whose configuration this is, by keys that no other gateway has; undefined: none that is known. */
export function otherGateway(data: unknown): OtherGateway | undefined {
  if (typeof data !== 'object' || data === null || 'type' in data) return undefined;
  if ('model_list' in data || 'litellm_settings' in data) return 'LiteLLM';
  if ('providers' in data && typeof data.providers === 'object' && !Array.isArray(data.providers)) return 'Bifrost';
  const isPortkey = 'targets' in data || 'strategy' in data || 'virtual_key' in data || 'provider' in data;
  return isPortkey ? 'Portkey' : undefined;
}
