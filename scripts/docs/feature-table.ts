import { declaredFate, FEATURES, type Feature, WIRES_OF_TABLE } from '../../test/conformance/features.ts';
import { MESSAGE_FEATURES, WIRES_OF_MESSAGES } from '../../test/conformance/messages-features.ts';
import { RESPONSE_FEATURES, WIRES_OF_RESPONSES } from '../../test/conformance/responses-features.ts';

const WORDS = { carried: '✓', 'left out': 'left out', refused: '400' } as const;

/** Provider × feature, from what the conformance suite declares and tries. */
export function featureTable(): string {
  return tableOf(WIRES_OF_TABLE, FEATURES);
}

/** The same of requests in Anthropic's form. */
export function messageFeatureTable(): string {
  return tableOf(WIRES_OF_MESSAGES, MESSAGE_FEATURES);
}

/** The same of requests for a response. */
export function responseFeatureTable(): string {
  return tableOf(WIRES_OF_RESPONSES, RESPONSE_FEATURES);
}

function tableOf(wires: readonly { readonly title: string }[], features: readonly Feature[]): string {
  const titles = wires.map(({ title }) => title);
  const rows = features.map((feature) => {
    const fates = titles.map((_, column) => WORDS[declaredFate(feature, column) ?? 'refused']);
    return `| ${[feature.name, ...fates].join(' | ')} |`;
  });
  return [`| a request with | ${titles.join(' | ')} |`, `|---|${titles.map(() => '---|').join('')}`, ...rows].join(
    '\n',
  );
}
