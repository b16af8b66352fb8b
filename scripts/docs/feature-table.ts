import { declaredFate, FEATURES, WIRES_OF_TABLE } from '../../test/conformance/features.ts';

const WORDS = { carried: '✓', 'left out': 'left out', refused: '400' } as const;

/** Provider × feature, from what the conformance suite declares and tries. */
export function featureTable(): string {
  const titles = WIRES_OF_TABLE.map(({ title }) => title);
  const rows = FEATURES.map((feature) => {
    const fates = titles.map((_, column) => WORDS[declaredFate(feature, column) ?? 'refused']);
    return `| ${[feature.name, ...fates].join(' | ')} |`;
  });
  return [`| a request with | ${titles.join(' | ')} |`, `|---|${titles.map(() => '---|').join('')}`, ...rows].join(
    '\n',
  );
}
