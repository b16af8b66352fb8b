import { accessSync, constants } from 'node:fs';
import { nearNames } from '../../core/near-names.ts';
import { parseWith } from '../checks/schema-faults.ts';
import { reasonOf } from '../documents/manifest-files.ts';
import { type Manifest, parsedFrom, positionOf, warn } from '../documents/manifests.ts';
import { didYouMean, type PathSegment, type Report } from '../fault.ts';
import { priceSettings } from '../server/prices.ts';
import { serverSchema, type WrittenServer } from '../server/server-schema.ts';
import { type Overrides, overridesSchema, type ServerSettings, serverSettings } from '../server/server-settings.ts';
import { upstreamSettings } from '../server/upstream.ts';
import { type KindContext, manifestKind, type Written } from './manifest-kind.ts';
import { issuers } from './sluice-identity-provider.ts';

/** `sluice/server`: the settings of the gateway. What is not written has its default, the whole manifest too. */
export const sluiceServer = manifestKind({
  type: 'sluice/server',
  schema: serverSchema,
  uniqueKeys: [{ path: 'type', what: 'the kind `sluice/server`', over: 'sluice/server' }],
  // What sockets, threads and stores were made from.
  restartKeys: {
    listen: 'server.listen',
    operator: 'server.operator',
    threads: 'server.threads',
    data_dir: 'server.dataDir',
    store: 'server.store',
    metrics: 'server.metrics',
    gateway_id: 'server.gatewayId',
    'limits.max_header_bytes': 'server.limits.maxHeaderBytes',
    'cache.max_bytes': 'server.cache.maxBytes',
    'cache.semantic.max_entries': 'server.cache.semantic.maxEntries',
    'cache.semantic.max_bytes': 'server.cache.semantic.maxBytes',
    'counters.max_cells': 'server.counters.maxCells',
    'ledger.enabled': 'server.ledger.enabled',
    'ledger.sync': 'server.ledger.sync',
    'mcp.secret': 'server.mcp.secret',
  },
  check([first], context) {
    const overrides = parseWith(overridesSchema, parsedFrom(context.overrides, 'command line'));
    if ('faults' in overrides) context.report.faults.push(...overrides.faults);
    if (first === undefined) return;
    const server = settingsOf(first, context);
    checkUpstream(first, context);
    checkPrices(first, context.report);
    checkPorts(server, first.manifest, context.report);
    checkFiles(server, first.manifest, context.report);
    checkMemory(server, first.manifest, context.report);
    checkAuthorizationServers(server, first.manifest, context);
    checkOidc('console', server, first.manifest, context);
    checkOidc('mcp', server, first.manifest, context);
    checkConsole(server, first.manifest, context);
    checkAdminKey(server, first.manifest, context);
  },
  /** Undefined where it has a fault. */
  part: ([first], context): { server: ServerSettings | undefined } => ({
    server: first && settingsOf(first, context),
  }),
});

function settingsOf({ manifest, value }: Written<WrittenServer>, context: KindContext): ServerSettings {
  const read = overridesSchema.safeParse(context.overrides);
  const checked: Overrides = read.success ? read.data : {};
  const { settings: upstream } = upstreamSettings(value.upstream, manifest.folder, context.environment);
  const { settings: prices } = priceSettings(value.prices, manifest.folder);
  return serverSettings(value, manifest.folder, checked, { upstream, prices });
}

/** Tokens of an identity provider are bound to addresses, which must be known beforehand. */
function checkAuthorizationServers({ mcp }: ServerSettings, manifest: Manifest, context: KindContext): void {
  const names = issuers(context).map(({ provider }) => provider.name);
  for (const [index, name] of mcp.authorizationServers.entries()) {
    if (name === 'sluice') continue;
    const at = positionOf(manifest, ['mcp', 'authorization_servers', index]);
    if (!names.includes(name)) {
      const message = `there is no identity provider \`${name}\``;
      context.report.faults.push({ code: 'invalid-value', ...at, message });
    } else if (mcp.publicUrl === undefined) {
      const message =
        'its tokens are bound to addresses of this gateway, and `mcp.public_url` does not say where it is';
      context.report.faults.push({ code: 'invalid-value', ...at, message });
    }
  }
}

/** People sign in there with a provider that there is. */
function checkOidc(
  section: 'console' | 'mcp',
  { [section]: { oidc } }: ServerSettings,
  manifest: Manifest,
  context: KindContext,
): void {
  if (oidc === undefined) return;
  const names = issuers(context).map(({ provider }) => provider.name);
  if (names.includes(oidc.identityProvider)) return;
  const at = positionOf(manifest, [section, 'oidc', 'identity_provider']);
  const message = `there is no identity provider \`${oidc.identityProvider}\``;
  const remedy = didYouMean(nearNames(oidc.identityProvider, names));
  context.report.faults.push({ code: 'invalid-value', ...at, message, ...(remedy !== undefined && { remedy }) });
}

function checkConsole({ console: { oidc }, operator }: ServerSettings, manifest: Manifest, context: KindContext): void {
  if (oidc === undefined) return;
  if (operator.adminKey !== undefined) return;
  const message = 'without `operator.admin_key` nobody signs in to the console by an identity provider';
  warn(context.report, manifest, ['console', 'oidc'], { message });
}

/** Wrong keys are counted and told, but a right one is let in however many were wrong before it. */
const MIN_ADMIN_KEY_CHARACTERS = 16;

function checkAdminKey({ operator: { adminKey } }: ServerSettings, manifest: Manifest, context: KindContext): void {
  if (adminKey === undefined || adminKey.length >= MIN_ADMIN_KEY_CHARACTERS) return;
  const message = `this key has fewer than ${MIN_ADMIN_KEY_CHARACTERS} characters, and can be guessed`;
  const remedy = 'take a random one, as `openssl rand -base64 24` makes it';
  warn(context.report, manifest, ['operator', 'admin_key'], { message, remedy });
}

function checkPrices({ manifest, value }: Written<WrittenServer>, report: Report): void {
  const { files, fault } = priceSettings(value.prices, manifest.folder);
  report.files.push(...files);
  if (fault) report.faults.push({ ...positionOf(manifest, ['prices', 'file']), ...fault });
}

function checkUpstream({ manifest, value }: Written<WrittenServer>, { environment, report }: KindContext): void {
  const { file, fault, warning } = upstreamSettings(value.upstream, manifest.folder, environment);
  if (file !== undefined) report.files.push(file);
  if (fault) report.faults.push({ ...positionOf(manifest, ['upstream', 'ca_file']), ...fault });
  if (warning) warn(report, manifest, ['upstream', 'proxy'], warning);
}

function checkPorts({ listen, operator }: ServerSettings, manifest: Manifest, report: Report): void {
  if (operator.port === 0 || operator.port !== listen.port || !hostsMeet(operator.host, listen.host)) return;
  const message = 'this is the port of `listen` already';
  const at = positionOf(manifest, ['operator', 'port']);
  report.faults.push({ code: 'invalid-value', ...at, message, found: String(operator.port) });
}

function checkFiles({ listen, operator }: ServerSettings, manifest: Manifest, report: Report): void {
  const files: [PathSegment[], string | undefined][] = [
    [['listen', 'tls', 'cert_file'], listen.tls?.certFile],
    [['listen', 'tls', 'key_file'], listen.tls?.keyFile],
    [['operator', 'tls', 'cert_file'], operator.tls?.certFile],
    [['operator', 'tls', 'key_file'], operator.tls?.keyFile],
  ];
  for (const [path, file] of files) {
    const reason = file === undefined ? undefined : whyUnreadable(file);
    if (reason === undefined) continue;
    report.faults.push({
      code: 'unreadable',
      ...positionOf(manifest, path),
      message: `cannot read ${file}: ${reason}`,
    });
  }
}

function checkMemory({ limits }: ServerSettings, manifest: Manifest, report: Report): void {
  if (limits.maxBodyBytes <= limits.maxBodyMemoryBytes) return;
  warn(report, manifest, ['limits', 'max_body_memory_bytes'], {
    message: 'all bodies together get less than one may have (limits.max_body_bytes)',
    found: String(limits.maxBodyMemoryBytes),
    remedy: `Bodies over ${limits.maxBodyMemoryBytes} bytes are always refused; lower limits.max_body_bytes`,
  });
}

function hostsMeet(one: string, other: string): boolean {
  const every = ['0.0.0.0', '::'];
  return one === other || every.includes(one) || every.includes(other);
}

function whyUnreadable(file: string): string | undefined {
  try {
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
