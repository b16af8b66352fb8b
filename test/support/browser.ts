import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';

const PLACES = [
  process.env['SLUICE_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

const executable = PLACES.find((path): path is string => path !== undefined && existsSync(path));

/** Why tests in a browser are skipped; false: there is one. */
export const browserSkip: string | false =
  executable === undefined && 'there is no Chromium: install it, or name it by SLUICE_CHROMIUM';

export async function startBrowser(): Promise<Browser> {
  return puppeteer.launch({
    executablePath: executable!,
    headless: true,
    // As root, as in a container, it has no sandbox; /dev/shm is small there.
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--disable-gpu'],
    protocolTimeout: 60_000,
  });
}

const axeFile = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let axe: string | undefined;

/** What stands in the way of people who do not see or do not use a mouse, as `rule: selector`. */
export async function axeFaults(page: Page): Promise<string[]> {
  const { readFileSync } = await import('node:fs');
  axe ??= readFileSync(axeFile, 'utf8');
  await page.evaluate(`window.axe === undefined && (() => { ${axe} })()`);
  const found = await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`,
  );
  return Array.isArray(found) ? found.map(String) : [];
}
