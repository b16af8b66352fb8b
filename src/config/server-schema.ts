import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { signingKey } from './price-list.ts';
import { redactionPattern } from './rules/redactions.ts';
import {
  amount,
  keyWithDefault,
  optionalKey,
  proxyAddress,
  restricting,
  restrictingKey,
  secretText,
  text,
  wholeNumber,
} from './scalar-schema.ts';
import { subjectPattern } from './subject-schema.ts';

/** `sluice/server` as it is written, with every default and bound; docs/configuration.md is generated from it. */

const gibibyte = 1024 ** 3;
const port = wholeNumber(0, 65_535);
const ratioError = 'a number from 0 to 1';
const ratio = z.number({ error: ratioError }).min(0, { error: ratioError }).max(1, { error: ratioError });
/** 0 = no limit. */
const milliseconds = wholeNumber(0, 86_400_000);

/** A group of keys of which each has a default: absent, it is all defaults. */
function section<T extends z.ZodObject>(object: T) {
  return object.nullish().transform((value): z.output<T> => value ?? object.parse({}));
}

const hostError = 'an IP address or a host name';
const host = z.string({ error: hostError }).regex(/^[A-Za-z0-9._:%-]{1,253}$/, { error: hostError });

const networkError = 'IP addresses and networks: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`';
const network = z.string({ error: networkError }).refine(isNetwork, { error: networkError });

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...more] = value.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  if (bits < 0 || address.includes('%') || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

const tls = optionalKey(
  z.object({
    cert_file: text().describe('Certificate with its chain, a PEM file.'),
    key_file: text().describe('Private key of the certificate, a PEM file.'),
  }),
).describe('With it the port speaks TLS; without it plain HTTP.');

const listen = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe(
      'Address on which clients are served; `0.0.0.0` is every address of the machine.',
    ),
    port: keyWithDefault(port, 8787).describe('Port on which clients are served; 0 takes any free port.'),
    tls,
    trusted_proxies: restrictingKey(
      keyWithDefault(z.array(network).max(256, { error: 'at most 256 networks' }), []),
    ).describe('Addresses and networks of load balancers whose `x-forwarded-for` says who the client is.'),
    close_after_answer: keyWithDefault(z.boolean(), false).describe(
      'Close each client connection after its answer, for load balancers that use a connection just as it is closed.',
    ),
  }),
);

const operator = section(
  z.object({
    host: keyWithDefault(host, '127.0.0.1').describe('Address of the operator port.'),
    port: optionalKey(port).describe(
      'Port for health, metrics and the admin API; by default the port after `listen.port`.',
    ),
    tls,
    admin_key: optionalKey(secretText(4096)).describe('Key of the admin API; without it there is no admin API.'),
  }),
);

/**
 * An engine of ours, or the address of one that exists. An address may hold a password and is not shown.
 */
function engine(builtIn: string, address: RegExp, form: string) {
  const allowed = `\`${builtIn}\` or ${form}`;
  const chosen = z.string({ error: allowed }).superRefine((value, context) => {
    if (value === builtIn || (address.test(value) && URL.canParse(value))) return;
    const shown = value.includes(':') ? { found: 'an address (not shown)' } : undefined;
    context.addIssue({ code: 'custom', message: allowed, params: { ...shown } });
  });
  return keyWithDefault(chosen, builtIn);
}

/** A bucket alone or with folders; keys, region and endpoint may stand in it. */
const S3 = /^s3:\/\/([^@/\s]+:[^@/\s]+@)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9._/-]*)?(\?[^#\s]*)?$/;

const store = section(
  z.object({
    database: engine('sqlite', /^postgres(ql)?:\/\//, '`postgres://user:password@host:5432/database`').describe(
      'Where keys, ledger and spent budgets are kept: a file in `data_dir`, or PostgreSQL.',
    ),
    counters: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`').describe(
      'Where limits and budgets are counted: in memory, or in a Redis for several gateways.',
    ),
    blobs: engine('disk', S3, '`s3://bucket/prefix`').describe(
      'Where uploaded files are kept: `blobs` in `data_dir`, or a bucket: `s3://KEY_ID:SECRET@bucket/prefix?region=…&endpoint=…`.',
    ),
    cache: engine('memory', /^rediss?:\/\//, '`redis://host:6379/0`').describe(
      'Where cached answers are kept beside the memory of this gateway: nowhere, or in a Redis for several gateways.',
    ),
  }),
);

const counters = section(
  z.object({
    agreement: keyWithDefault(z.enum(['strict', 'leased']), 'strict').describe(
      'With Redis: `strict` asks it before each request, `leased` spends shares taken ahead.',
    ),
    lease_percent: keyWithDefault(wholeNumber(1, 50), 5).describe(
      'Share of a limit that one gateway may take ahead with `leased`.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 250).describe('A Redis that takes longer counts as away.'),
    when_away: keyWithDefault(z.enum(['local', 'closed', 'open']), 'local').describe(
      'Without Redis: `local` counts on this machine, `closed` refuses (503), `open` lets everything pass.',
    ),
    max_cells: keyWithDefault(wholeNumber(1024, 4_194_304), 65_536).describe(
      'Counts kept in memory, 520 bytes each; further groups of a rule share one.',
    ),
  }),
);

const semantic = section(
  z.object({
    max_entries: keyWithDefault(wholeNumber(16, 262_144), 16_384).describe(
      'Vectors of questions in memory, over all threads; the newest takes the place of the oldest.',
    ),
    max_bytes: keyWithDefault(wholeNumber(65_536, 4 * gibibyte), 67_108_864).describe(
      'Memory for those vectors; it is used as it fills.',
    ),
    max_redis_entries: keyWithDefault(wholeNumber(1, 1024), 256).describe(
      'Vectors kept in Redis of requests that differ in their last text alone.',
    ),
    embedding_timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 1_000).describe(
      'How long a vector is waited for; then the provider is asked as if there were no cache.',
    ),
    max_concurrent_embeddings: keyWithDefault(wholeNumber(1, 4_096), 64).describe(
      'Vectors that one relay thread asks for at the same time; further requests do without.',
    ),
    max_messages: keyWithDefault(wholeNumber(1, 1_000), 3).describe(
      'Of a conversation, system prompts apart; of a longer one only equal requests are hits.',
    ),
    max_text_bytes: keyWithDefault(wholeNumber(1, 65_536), 8_192).describe(
      'Of the text that is compared; of a longer one only equal requests are hits.',
    ),
  }),
);

const cache = section(
  z.object({
    max_bytes: keyWithDefault(wholeNumber(0, 64 * gibibyte), 67_108_864).describe(
      'Memory for cached answers, over all threads; it is used as it fills. 0: nothing is cached.',
    ),
    max_entry_bytes: keyWithDefault(wholeNumber(1024, 268_435_456), 1_048_576).describe(
      'Bound of one answer; a larger one is not cached.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 60_000), 100).describe(
      'A Redis that takes longer counts as away, and the answer as not cached.',
    ),
    semantic: semantic.describe('Bounds of answers to like questions.'),
  }),
);

const metadataKeys = keyWithDefault(z.array(text(128)).max(16, { error: 'at most 16 keys' }), []);

const ledger = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true).describe('Whether exchanges are recorded in the ledger.'),
    sync: keyWithDefault(z.enum(['batched', 'strict', 'disk']), 'batched').describe(
      '`batched` writes a record within 10 ms after its end, `strict` before the last byte of the answer; `disk` also waits until the disk has it.',
    ),
    when_full: keyWithDefault(z.enum(['refuse', 'serve']), 'refuse').describe(
      'Where a record could find no room: `refuse` new requests (503), or `serve` them and count what is lost.',
    ),
    retention_days: keyWithDefault(wholeNumber(0, 36_500), 90).describe(
      'Days for which rows are kept; 0 keeps them for ever.',
    ),
    hourly_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400).describe(
      'Days for which hourly sums are kept; daily sums stay.',
    ),
    metadata_keys: metadataKeys.describe('Keys of request metadata that the ledger keeps.'),
    audit_retention_days: keyWithDefault(wholeNumber(0, 36_500), 400).describe(
      'Days for which entries of the audit log are kept; 0 keeps them for ever.',
    ),
    max_journal_bytes: keyWithDefault(wholeNumber(1_048_576, 1024 * gibibyte), 4 * gibibyte).describe(
      'Bound of what may wait for the database; beyond it `when_full` says what happens.',
    ),
  }),
);

const files = section(
  z.object({
    shared_with: keyWithDefault(z.enum(['nobody', 'team']), 'nobody').describe(
      'Who sees a file beside the caller that uploaded it: `team` is the first of the teams of its key.',
    ),
  }),
);

const batches = section(
  z.object({
    max_concurrency: keyWithDefault(wholeNumber(0, 65_536), 64).describe(
      'Lines of batches that this gateway sends at once; 0: it runs none. Fewer while they keep clients waiting.',
    ),
    max_attempts: keyWithDefault(wholeNumber(1, 100), 4).describe(
      'How often a line is sent at the most where it fails for a reason that may pass; a provider that is too busy is asked again at its pace.',
    ),
  }),
);

const responses = section(
  z.object({
    keep: keyWithDefault(z.boolean(), true).describe(
      'Whether answers of `/responses` are kept, so that their callers ask for them later and go on from them.',
    ),
    keep_days: keyWithDefault(wholeNumber(1, 3_650), 30).describe('For so long.'),
    max_bytes: keyWithDefault(wholeNumber(1, gibibyte), 4_194_304).describe(
      'Of one turn, what was asked and answered; a larger one is not kept.',
    ),
    max_event_bytes: keyWithDefault(wholeNumber(1, gibibyte), 16_777_216).describe(
      'Of one answer in the background, the events that are kept for a day to be told again.',
    ),
  }),
);

const metrics = section(
  z.object({ metadata_keys: metadataKeys.describe('Keys of request metadata that become labels.') }),
);

const otel = section(
  z.object({
    sample_ratio: keyWithDefault(ratio, 1).describe(
      'Share of exchanges whose spans are exported, 0 to 1; failures and what the client samples always are.',
    ),
    keep_slower_than_ms: optionalKey(milliseconds).describe('Exchanges that took longer are exported always.'),
    keep_costlier_than_usd: optionalKey(amount()).describe('Exchanges that cost more are exported always.'),
    names: keyWithDefault(z.enum(['genai', 'openinference', 'both']), 'genai').describe(
      'Names of attributes: conventions of OpenTelemetry for GenAI, OpenInference (Phoenix), or both.',
    ),
    max_queued_spans: keyWithDefault(wholeNumber(1, 1_000_000), 8192).describe(
      'Spans that may wait for one collector; the oldest are dropped and counted.',
    ),
    timeout_ms: keyWithDefault(wholeNumber(1, 600_000), 10_000).describe('Wait for one answer of a collector.'),
    metrics_interval_ms: keyWithDefault(wholeNumber(1000, 3_600_000), 10_000).describe(
      'How often metrics are exported.',
    ),
  }),
);

const requestLog = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, 4_194_304), 65_536).describe(
      'Of a request, and of an answer, so much is kept; what is longer is cut there.',
    ),
    retention_days: keyWithDefault(wholeNumber(1, 36_500), 30).describe('How long bodies are kept.'),
    max_queued_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 67_108_864).describe(
      'Bodies that may wait to be kept, over all threads; further ones are dropped and counted.',
    ),
    max_queued_webhooks: keyWithDefault(wholeNumber(1, 100_000), 1_000).describe(
      'Exchanges that may wait for one webhook; further ones are dropped and counted.',
    ),
    redact: restricting(
      keyWithDefault(z.array(redactionPattern).max(64, { error: 'at most 64 patterns' }), []),
    ).describe('What is blacked out of every kept body: `preset`, or `pattern` of RE2; and perhaps `replacement`.'),
  }),
);

const gatewayIdError = '1 to 64 characters of A–Z a–z 0–9 . _ -';
const gatewayId = z.string({ error: gatewayIdError }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: gatewayIdError });

const limits = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, gibibyte), 33_554_432).describe('Bound of one request body (413).'),
    max_file_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), 536_870_912).describe(
      'Bound of one file that is uploaded (413).',
    ),
    max_body_memory_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), gibibyte).describe(
      'Bound of all request bodies held at once (503).',
    ),
    max_header_bytes: keyWithDefault(wholeNumber(4096, 1_048_576), 16_384).describe(
      'Bound of the head of one request (431).',
    ),
    max_in_flight: keyWithDefault(wholeNumber(1, 1_000_000), 16_384).describe(
      'Bound of open exchanges, over all threads (503).',
    ),
    high_watermark_bytes: keyWithDefault(wholeNumber(4096, 67_108_864), 65_536).describe(
      'Bytes that may wait for one slow client before its provider is paused.',
    ),
    max_upstream_connections: keyWithDefault(wholeNumber(1, 65_536), 8192).describe(
      'Bound of connections per thread, provider address and credential.',
    ),
    max_upstream_queue: keyWithDefault(wholeNumber(0, 1_000_000), 4096).describe(
      'Bound of exchanges that wait for one of those connections (503).',
    ),
    max_translate_bytes: keyWithDefault(wholeNumber(1024, gibibyte), 33_554_432).describe(
      'Bound of one whole answer or one event that is to be translated (502).',
    ),
    max_event_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 16_777_216).describe(
      'Bound of one event of a stream that is held until it is whole; a larger one passes in pieces.',
    ),
  }),
);

const timeouts = section(
  z.object({
    body_ms: keyWithDefault(milliseconds, 30_000).describe(
      'From the head of a request to the last byte of its body; of a file between two pieces of it (408).',
    ),
    upload_ms: keyWithDefault(milliseconds, 3_600_000).describe(
      'From the head of an upload to the last byte of its file (408).',
    ),
    connect_ms: keyWithDefault(milliseconds, 5000).describe('Until a request has a connection to its provider (504).'),
    first_byte_ms: keyWithDefault(milliseconds, 600_000).describe(
      'From sending a request to the first content of its answer (504).',
    ),
    idle_ms: keyWithDefault(milliseconds, 120_000).describe(
      'Between two pieces of content (504, in a stream an error event).',
    ),
    total_ms: keyWithDefault(milliseconds, 0).describe('The whole exchange (504, in a stream an error event).'),
    write_ms: keyWithDefault(milliseconds, 60_000).describe(
      'How long a client may take nothing of what is to be written; then its connection is closed.',
    ),
    drain_ms: keyWithDefault(milliseconds, 30_000).describe('How long open exchanges may go on after a stop signal.'),
    keep_alive_ms: keyWithDefault(milliseconds, 75_000).describe(
      'How long a client connection may be idle before it is closed; longer than the idle time of a load balancer.',
    ),
  }),
);

const noProxyError = '`*`, a host name, `.domain`, an IP address or range (`10.0.0.0/8`); `:port` may follow';
const noProxy = z
  .string({ error: noProxyError })
  .regex(/^(\*|(\*?\.)?[A-Za-z0-9_[\]:.-]{1,253}(\/\d{1,3})?)$/, { error: noProxyError });

const upstream = section(
  z.object({
    proxy: restricting(optionalKey(proxyAddress())).describe(
      'HTTP proxy to all providers, token endpoints, issuers and channels of alerts, or `none`. Absent: for https:// providers what the variable HTTPS_PROXY says.',
    ),
    no_proxy: restrictingKey(optionalKey(z.array(noProxy).max(1000))).describe(
      'Hosts that are reached without `proxy`. Absent, with a proxy of HTTPS_PROXY: what the variable NO_PROXY says.',
    ),
    ca_file: optionalKey(text()).describe(
      'Certificates of authorities, as PEM, that are trusted besides the public ones.',
    ),
  }),
);

const privateHostError = 'a host name in small letters, or an IP address';
const privateHost = z.string({ error: privateHostError }).regex(/^[a-z0-9_:.-]{1,253}$/, { error: privateHostError });

const media = section(
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

const publicKeyError = 'an Ed25519 key, as PEM or as its 32 bytes in base64';
const listUrlError =
  'an https:// address (http:// with `public_key`, or on this machine) without user name and fragment';

const prices = optionalKey(
  z
    .object({
      file: optionalKey(text()).describe('A price list as JSON; a change is seen as one of a manifest is.'),
      url: optionalKey(z.string({ error: listUrlError })).describe('Where a price list is fetched from.'),
      refresh_hours: keyWithDefault(wholeNumber(1, 8760), 24).describe('How often it is fetched again.'),
      public_key: optionalKey(
        z.string({ error: publicKeyError }).refine((key) => signingKey(key) !== undefined, { error: publicKeyError }),
      ).describe('Whose signature must stand beside the list, under the same name with `.sig` at its end.'),
    })
    .superRefine(({ file, url, public_key: publicKey }, context) => {
      if ((file === undefined) === (url === undefined)) {
        const message = 'exactly one of `file` and `url`';
        const found = file === undefined ? 'neither' : 'both';
        context.issues.push({
          code: 'custom',
          message,
          params: { message: 'it must be said once where the list is', found },
          input: file,
        });
      } else if (url !== undefined && !isListUrl(url, publicKey !== undefined)) {
        context.issues.push({ code: 'custom', message: listUrlError, path: ['url'], input: url });
      }
    }),
);

/** Whoever can answer for it decides what things cost: over a line that others can write to the list must be signed. */
function isListUrl(value: string, signed: boolean): boolean {
  if (value.length > 2048 || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  const safe = protocol === 'https:' || (protocol === 'http:' && (signed || loopback));
  return safe && username === '' && password === '' && hash === '';
}

const publicUrlError = 'an https:// address (http:// only on this machine) of a host alone, without path';
const publicUrl = z
  .string({ error: publicUrlError })
  .refine(isPublicUrl, { error: publicUrlError })
  .transform((value) => new URL(value).origin);

/** Tokens and keys go there: never over a line that others can read. */
function isPublicUrl(value: string): boolean {
  return isListUrl(value, false) && new URL(value).pathname === '/' && new URL(value).search === '';
}

const mcp = section(
  z.object({
    call_ms: keyWithDefault(wholeNumber(1, 86_400_000), 120_000).describe(
      'From a request to an MCP server to its result; a message of the server begins it anew, up to ten times as long.',
    ),
    connect_ms: keyWithDefault(wholeNumber(1, 600_000), 10_000).describe(
      'Until an MCP server is connected and has said which protocol it speaks.',
    ),
    session_idle_ms: keyWithDefault(wholeNumber(1000, 86_400_000), 1_800_000).describe(
      'How long a session, or a process, that nobody uses is kept.',
    ),
    max_sessions: keyWithDefault(wholeNumber(1, 1_000_000), 10_000).describe(
      'Bound of sessions of clients, and of those with servers; the one that rests longest makes room.',
    ),
    max_message_bytes: keyWithDefault(wholeNumber(4096, gibibyte), 4_194_304).describe(
      'Bound of one message to or from an MCP server, and of what waits for one client.',
    ),
    max_tools: keyWithDefault(wholeNumber(1, 100_000), 1000).describe('Bound of the tools of one server.'),
    list_ttl_ms: keyWithDefault(wholeNumber(0, 86_400_000), 60_000).describe(
      'How long what a server lists is used again, where the server does not say.',
    ),
    max_children: keyWithDefault(wholeNumber(0, 10_000), 64).describe('Bound of processes of `mcp-server/stdio`.'),
    code_ms: keyWithDefault(wholeNumber(100, 3_600_000), 60_000).describe(
      'How long one run of code may take, calls of tools included.',
    ),
    code_cpu_ms: keyWithDefault(wholeNumber(10, 600_000), 2000).describe(
      'How long one run of code may compute; waits for tools are not counted.',
    ),
    max_code_memory_bytes: keyWithDefault(wholeNumber(16_777_216, gibibyte), 67_108_864).describe(
      'Bound of the memory of one run of code.',
    ),
    max_code_calls: keyWithDefault(wholeNumber(0, 100_000), 100).describe('Bound of the calls of one run of code.'),
    max_code_runs: keyWithDefault(wholeNumber(1, 256), 4).describe(
      'Bound of runs of code at once, each on a thread of its own; more are refused.',
    ),
    on_changed_tool: keyWithDefault(z.enum(['warn', 'refuse']), 'warn').describe(
      'What happens with a tool whose description, schema or hints are not those that were seen first: it is told, or neither listed nor called.',
    ),
    secret: optionalKey(secretText(4096)).describe(
      'Seals sessions and tokens of MCP; the same on all gateways of a cluster. By default made and kept in `data_dir`.',
    ),
    public_url: optionalKey(publicUrl).describe(
      'Where clients reach the listening port, as `https://gateway.example.com`; without it OAuth works for clients of this machine alone.',
    ),
    authorization_servers: keyWithDefault(z.array(text(256)).max(16, { error: 'at most 16 names' }), [
      'sluice',
    ]).describe(
      'Who gives clients of MCP tokens: `sluice`, names of identity providers (which need `public_url`); none: keys alone are taken.',
    ),
    token_ms: keyWithDefault(wholeNumber(60_000, 86_400_000), 900_000).describe(
      'Life of a token that the gateway gives to a client of MCP.',
    ),
    sign_in_ms: keyWithDefault(wholeNumber(60_000, 31_536_000_000), 2_592_000_000).describe(
      'How long such a client stays signed in, at most until the end of the key that it was signed in with.',
    ),
  }),
);

const consoleRole = z.object({
  subjects: z
    .array(subjectPattern)
    .min(1, { error: 'at least one subject' })
    .max(1000, { error: 'at most 1000 subjects' })
    .describe('Who: `user:…`, `team:…`, `virtualaccount:…`; `team:everyone` and `*` are everybody with a key.'),
  role: z
    .enum(['viewer', 'operator', 'admin'])
    .describe(
      '`viewer` looks at what data access opens, `operator` also does what destroys nothing, `admin` everything. The highest of all that match counts.',
    ),
});

const scopeError = 'a scope of OpenID Connect, without spaces';
const consoleOidc = optionalKey(
  z.object({
    identity_provider: text(256).describe('Name of the identity provider that people sign in with.'),
    client_id: text(512).describe('As what the gateway is registered there.'),
    client_secret: optionalKey(secretText(4096)).describe('Its secret; absent: it is a public client.'),
    scopes: keyWithDefault(
      z
        .array(z.string({ error: scopeError }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, { error: scopeError }))
        .max(64, { error: 'at most 64 scopes' }),
      ['openid', 'email', 'profile'],
    ).describe('What it asks for; claims of subject and teams must be in the ID token.'),
  }),
);

const consoleSettings = section(
  z.object({
    enabled: keyWithDefault(z.boolean(), true).describe(
      'Whether there is a console on the operator port; without an admin key on loopback alone, and read-only.',
    ),
    public_url: optionalKey(publicUrl).describe(
      'Where browsers reach the operator port, as `https://sluice.example.com`, where that is another address than its own.',
    ),
    session_ms: keyWithDefault(wholeNumber(60_000, 2_592_000_000), 43_200_000).describe('Longest life of a session.'),
    idle_ms: keyWithDefault(wholeNumber(60_000, 2_592_000_000), 3_600_000).describe(
      'How long a session lasts in which nothing is asked.',
    ),
    roles: restrictingKey(keyWithDefault(z.array(consoleRole).max(1000, { error: 'at most 1000 rules' }), [])).describe(
      'Who may sign in beside whoever holds the admin key, and what they may.',
    ),
    oidc: restricting(consoleOidc).describe('Sign-in with an identity provider; absent: with keys alone.'),
  }),
);

const log = section(
  z.object({
    level: keyWithDefault(z.enum(['debug', 'info', 'warn', 'error']), 'info').describe(
      'Least level of the process log.',
    ),
    access: keyWithDefault(z.enum(['all', 'errors', 'off']), 'all').describe(
      'Which exchanges get a line in the access log.',
    ),
    provider_words: keyWithDefault(z.boolean(), true).describe(
      'Whether log and ledger hold what a provider says of a failure; it may quote the request.',
    ),
  }),
);

const originError = '`*`, or origins as a browser sends them: `https://app.example.com`, with a port only if unusual';
const origin = z.string({ error: originError }).refine((value) => value === '*' || isOrigin(value), {
  error: originError,
});

function isOrigin(value: string): boolean {
  return /^https?:\/\/[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

const cors = optionalKey(
  z.object({
    allowed_origins: z
      .array(origin)
      .min(1, { error: 'at least one origin' })
      .describe('Origins whose browsers may call, or `*`.'),
    max_age_seconds: keyWithDefault(wholeNumber(0, 86_400), 600).describe(
      'How long a browser may remember the answer to a preflight.',
    ),
  }),
);

const routing = section(
  z.object({
    consecutive_failures: keyWithDefault(wholeNumber(1, 1000), 3).describe(
      'Failures one after another that take a target out.',
    ),
    failure_percent: keyWithDefault(wholeNumber(1, 100), 50).describe(
      'Share of failures within `window_ms` that takes a target out.',
    ),
    min_requests: keyWithDefault(wholeNumber(1, 100_000), 10).describe(
      'Requests within `window_ms` below which that share says nothing.',
    ),
    window_ms: keyWithDefault(wholeNumber(1000, 3_600_000), 120_000).describe('Window of that share.'),
    out_ms: keyWithDefault(wholeNumber(100, 3_600_000), 10_000).describe(
      'How long a target is out the first time; twice as long each time its probe fails.',
    ),
    max_out_ms: keyWithDefault(wholeNumber(100, 86_400_000), 300_000).describe('The longest that it is out at once.'),
    slow_start_ms: keyWithDefault(wholeNumber(0, 3_600_000), 30_000).describe(
      'Time in which a target that came back grows to its share again.',
    ),
    retry_budget_percent: keyWithDefault(wholeNumber(0, 1000), 20).describe(
      'Retries of one target, as percent of its requests in 10 s; 10 in that time are always allowed.',
    ),
    share_ms: keyWithDefault(z.union([z.literal(0), wholeNumber(50, 60_000)]), 250).describe(
      'How often gateways with `store.counters` in Redis tell each other which targets and keys are out; 0: never.',
    ),
    probe_interval_ms: keyWithDefault(z.union([z.literal(0), wholeNumber(100, 3_600_000)]), 0).describe(
      'How often targets whose time of being out is over are asked by the gateway itself; 0: requests are the probes.',
    ),
    probe_timeout_ms: keyWithDefault(wholeNumber(100, 600_000), 10_000).describe(
      'How long such a probe may take; a later answer counts as a failure.',
    ),
    max_probes: keyWithDefault(wholeNumber(1, 100), 4).describe('Such probes at once.'),
  }),
);

export const serverSchema = z.object({
  type: z.literal('sluice/server'),
  listen: listen.describe('Where clients reach the gateway.'),
  operator: operator.describe('Where operators reach the gateway: health, metrics, admin API.'),
  threads: keyWithDefault(z.union([z.literal('auto'), wholeNumber(1, 256)]), 'auto').describe(
    'Relay threads; `auto` takes all cores on Linux and 1 elsewhere.',
  ),
  data_dir: optionalKey(text()).describe(
    'Folder for keys, ledger and journal; by default `./data` in the working folder. Deleting it resets the gateway.',
  ),
  store: store.describe('Which engine keeps what.'),
  limits: restricting(limits).describe('Bounds of the gateway itself.'),
  timeouts: timeouts.describe('How long each step may take, in milliseconds; 0 is no limit.'),
  upstream: upstream.describe('How providers, and all else that Sluice asks, are reached.'),
  media: restricting(media).describe(
    'Images and files that a request names by address: they are fetched for providers that take bytes alone.',
  ),
  prices: prices.describe('Prices that stand before those of the price library; absent: the library alone.'),
  log: log.describe('What is logged.'),
  keepalive_comment_ms: keyWithDefault(milliseconds, 15_000).describe(
    'Silence after which a stream gets an SSE comment, before the first token and between two; 0 sends none.',
  ),
  demo: keyWithDefault(z.union([z.literal('auto'), z.boolean()]), 'auto').describe(
    'Whether the demo account is there; `auto`: while no other account is configured.',
  ),
  retry_reused_connection: keyWithDefault(z.boolean(), true).describe(
    'Whether a request is sent once more when a reused connection dies before any byte of an answer.',
  ),
  cors: cors.describe('Which browsers may call; without it there are no CORS headers.'),
  counters: counters.describe('How limits and budgets are counted.'),
  files: files.describe('Whose the files are that callers upload.'),
  batches: batches.describe('How batches are run.'),
  responses: responses.describe('How answers of `/responses` are kept.'),
  cache: cache.describe('Bounds of cached answers.'),
  ledger: ledger.describe('How the ledger is kept.'),
  metrics: metrics.describe('What metrics tell apart.'),
  routing: routing.describe('When a target of virtual models is out, and how often it is tried again.'),
  otel: otel.describe('Spans and metrics by OTLP, where a `gateway-otel-config` says where to.'),
  request_log: requestLog.describe(
    'Bodies of requests and answers, where `gateway-global-settings` says that they are kept.',
  ),
  mcp: restricting(mcp).describe('Bounds of the MCP gateway.'),
  console: restricting(consoleSettings).describe('Who may sign in to the console of the operator port, and how.'),
  gateway_id: optionalKey(gatewayId).describe(
    'Name of this gateway in a cluster; by default made and kept in `data_dir`.',
  ),
});

export type WrittenServer = z.output<typeof serverSchema>;
