/**
 * Kinds of manifest that exist in the sets people bring along, older names included, and that nothing here reads yet.
 * A refusal can so say "not supported yet" instead of "unknown"; a kind that is built leaves the list.
 */
const providerAccounts = 'aws azure gcp hashicorp hosted-mcp-server palm truefoundry';

const others = `
  mcp-server/tfy-managed
  settings/ai-features settings/common-tools
  agent-identity pat secret-group sso-team
  agent alert-config artifact-version chat_prompt cluster data-dir environment ml-repo model-version policy
  remote-agent/self-hosted truefoundry-agent workspace`;

export const KINDS_TO_COME: ReadonlySet<string> = new Set([
  ...words(providerAccounts).map((name) => `provider-account/${name}`),
  ...words(others),
]);

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}
