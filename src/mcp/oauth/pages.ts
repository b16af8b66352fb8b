import { createHash } from 'node:crypto';
import type { McpPageAnswer } from '../../threads/mcp-messages.ts';

/** HTML that is safe to write into a page as it is. Everything else goes through `html`. */
class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Everything that is put in is escaped, for text and for attributes in quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | Html | undefined)[]): Html {
  const escaped = values.map((value) => {
    if (value instanceof Html) return value.text;
    return (value ?? '').replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
  });
  return new Html(parts.map((part, index) => part + (escaped[index] ?? '')).join(''));
}

const STYLE =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}' +
  'input,button{font:inherit;padding:.5rem .75rem;margin:.25rem 0;box-sizing:border-box}input{width:100%}' +
  'button{margin-right:.5rem;cursor:pointer}code{overflow-wrap:anywhere}[role=alert]{color:#c00}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** `forms`: where an answer to its form may lead besides the gateway; browsers hold redirects against it, too. */
export function page(
  status: number,
  title: string,
  content: Html,
  more: { readonly forms?: string; readonly headers?: readonly string[] } = {},
): McpPageAnswer {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `form-action 'self' ${more.forms ?? ''}`.trim(),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
  const body = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Sluice</title><style>${new Html(STYLE)}</style></head><body><main><h1>${title}</h1>${content}</main></body></html>`;
  const headers = [
    'content-type',
    'text/html; charset=utf-8',
    'cache-control',
    'no-store',
    'content-security-policy',
    policy,
    'referrer-policy',
    'same-origin',
    'x-content-type-options',
    'nosniff',
    'x-frame-options',
    'DENY',
    ...(more.headers ?? []),
  ];
  return { status, headers, body: body.text };
}

export function errorPage(status: number, message: string): McpPageAnswer {
  return page(status, 'This does not work', html`<p role="alert">${message}</p>`);
}

/** 303: whatever the method was, the browser goes on with GET. */
export function redirect(address: string): McpPageAnswer {
  const headers = ['location', address, 'cache-control', 'no-store', 'referrer-policy', 'no-referrer'];
  return { status: 303, headers, body: '' };
}

export interface SignInForm {
  readonly title: string;
  /** What the user agrees to. */
  readonly about: Html;
  readonly action: string;
  readonly form: string;
  readonly fault: string | undefined;
  readonly forms: string;
  readonly headers: readonly string[];
  /** With whom one may sign in in the place of a key; undefined: with nobody. */
  readonly provider: string | undefined;
}

/** The key stands in the body of the answer alone, and is kept by nobody. */
export function signInPage(asked: SignInForm): McpPageAnswer {
  const { title, about, action, form, fault, forms, headers, provider } = asked;
  const told = fault === undefined ? html`` : html`<p role="alert">${fault}</p>`;
  const elsewhere =
    provider === undefined
      ? html``
      : html`<p><button name="decision" value="provider">Allow, and sign in with ${provider}</button></p>`;
  const content = html`${about}${told}<form method="post" action="${action}"><input type="hidden" name="form" value="${form}">${elsewhere}<label>Your key of this gateway<input type="password" name="key" autocomplete="current-password" autofocus></label><p><button name="decision" value="allow">Allow</button><button name="decision" value="deny" formnovalidate>Deny</button></p></form>`;
  return page(fault === undefined ? 200 : 403, title, content, { forms, headers });
}
