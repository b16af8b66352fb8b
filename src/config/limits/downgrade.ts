import type { z } from 'zod';

interface Downgrade {
  mode?: string | undefined;
  downgrade_to?: string | undefined;
}

/** Where to, is said exactly where `mode` is `downgrade`. */
export function checkDowngrade(written: Downgrade, context: z.core.$RefinementCtx): void {
  const wanted = written.mode === 'downgrade';
  if (wanted === (written.downgrade_to !== undefined)) return;
  context.issues.push({
    code: 'custom',
    path: ['downgrade_to'],
    message: wanted
      ? 'the cheaper model that is asked instead, as `account/model`'
      : 'only where `mode` is `downgrade`',
    ...(wanted ? undefined : { params: { message: 'this key has no meaning here' } }),
    input: written,
  });
}
