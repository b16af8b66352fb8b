import { type Recogniser, recogniser } from '../scan/recogniser.ts';
import { presetRecogniser } from './regex-presets.ts';

interface Secret {
  readonly pattern: string;
  readonly maxCharacters?: number;
}

/** A key is this long at the most; of a longer one the rest is none by itself. */
const MAX_KEY_BLOCK = 8_192;

/** Forms of keys that their makers document, so that nothing else looks like them. */
const SECRETS: Readonly<Record<string, Secret>> = {
  private_key: {
    pattern:
      '-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\\s\\S]+?-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----',
    maxCharacters: MAX_KEY_BLOCK,
  },
  anthropic_key: { pattern: '\\bsk-ant-[A-Za-z0-9_-]{20,200}' },
  openai_key: { pattern: '\\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,200}' },
  google_api_key: { pattern: '\\bAIza[0-9A-Za-z_-]{35}' },
  google_oauth_token: { pattern: '\\bya29\\.[0-9A-Za-z_-]{20,1000}' },
  gitlab_token: { pattern: '\\bgl(?:pat|ptt|dt|rt|soat|cbt)-[0-9A-Za-z_-]{20,100}' },
  npm_token: { pattern: '\\bnpm_[A-Za-z0-9]{36}' },
  pypi_token: { pattern: '\\bpypi-[A-Za-z0-9_-]{50,300}' },
  huggingface_token: { pattern: '\\bhf_[A-Za-z0-9]{30,60}' },
  stripe_key: { pattern: '\\b(?:sk|rk|pk|whsec)_(?:live_|test_)?[0-9A-Za-z]{16,120}' },
  twilio_key: { pattern: '\\b(?:AC|SK)[0-9a-f]{32}\\b' },
  sendgrid_key: { pattern: '\\bSG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}' },
  mailgun_key: { pattern: '\\bkey-[0-9a-f]{32}\\b' },
  telegram_token: { pattern: '\\b\\d{8,10}:AA[A-Za-z0-9_-]{33}' },
  slack_webhook: { pattern: 'https://hooks\\.slack\\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,120}' },
  discord_token: { pattern: '\\b[MNO][A-Za-z\\d_-]{23,27}\\.[A-Za-z\\d_-]{6}\\.[A-Za-z\\d_-]{27,40}' },
  digitalocean_token: { pattern: '\\bdo[opr]_v1_[a-f0-9]{64}' },
  databricks_token: { pattern: '\\bdapi[a-f0-9]{32}(?:-\\d)?' },
  azure_storage_key: { pattern: '\\bAccountKey=[A-Za-z0-9+/]{86}==' },
  vault_token: { pattern: '\\bhv[sbr]\\.[A-Za-z0-9_-]{24,250}' },
  jwt: { pattern: '\\beyJ[A-Za-z0-9_-]+\\.eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*', maxCharacters: MAX_KEY_BLOCK },
  connection_string: {
    pattern:
      '\\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\\+srv)?|redis|rediss|amqps?|mssql)://[^\\s:@/"\']{1,128}:[^\\s@"\']{1,256}@[^\\s"\']{1,512}',
  },
  basic_auth_url: { pattern: '\\bhttps?://[^\\s:@/"\']{1,128}:[^\\s@/"\']{1,256}@[^\\s"\']{1,512}' },
  password: { pattern: '(?i)\\b(?:password|passwd|pwd|passphrase)["\']? ?[:=] ?["\']?[^\\s"\',;]{6,128}' },
};

/** The same as of the regex presets. */
const OF_PRESETS = ['aws_access_key', 'aws_secret_key', 'github_token', 'slack_token', 'generic_api_key'];

export function secretRecognisers(about: Pick<Recogniser, 'owner' | 'replacement'>): Recogniser[] {
  const own = Object.entries(SECRETS).map(([name, { pattern, ...rest }]) =>
    recogniser(name, pattern, { ...rest, ...about }),
  );
  return [...own, ...OF_PRESETS.flatMap((name) => presetRecogniser(name, about) ?? [])];
}
