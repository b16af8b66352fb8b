import { createRequire } from 'node:module';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { type Guard, type GuardQuestion, PASSED } from '../guard.ts';
import { failed } from './remote-guard.ts';

const load = createRequire(import.meta.url);

/**
 * `cedar`: policies decide by who asks, what for and at which hook. `principal` is `User::"…"` or `VirtualAccount::"…"` in its
 * `Team::"…"`, `action` is `Action::"llm-input"` and the like, `resource` is `Model::"account/model"` or `Tool::"server/tool"`,
 * and `context` has `metadata` and `form`. Throws where a policy is none. https://docs.cedarpolicy.com
 */
export function cedarGuard(config: GuardConfig): Guard {
  const cedar = load('@cedar-policy/cedar-wasm/nodejs') as typeof import('@cedar-policy/cedar-wasm/nodejs');
  const staticPolicies = String(config.config['policy']);
  const checked = cedar.checkParsePolicySet({ staticPolicies });
  if (checked.type === 'failure')
    throw new Error(`its policy is none: ${checked.errors.map(({ message }) => message).join('; ')}`);
  return {
    config,
    isLocal: true,
    check({ hook, exchange }) {
      const principal = principalOf(exchange);
      const parents = exchange.caller.teams.map((team) => ({ type: 'Team', id: team }));
      const answer = cedar.isAuthorized({
        principal,
        action: { type: 'Action', id: hook },
        resource: resourceOf(exchange.model),
        context: { metadata: { ...exchange.metadata }, form: exchange.form },
        policies: { staticPolicies },
        entities: [{ uid: principal, attrs: {}, parents }],
      });
      if (answer.type === 'failure') {
        return { result: 'error', message: answer.errors.map(({ message }) => message).join('; ') };
      }
      const { decision, diagnostics } = answer.response;
      // A policy that could not be evaluated counts as absent: what it forbids would pass.
      if (diagnostics.errors.length > 0) return { result: 'error', message: 'A policy could not be evaluated.' };
      return decision === 'allow' ? PASSED : failed('The policy does not allow it.');
    },
  };
}

function principalOf({ caller }: GuardQuestion['exchange']): { type: string; id: string } {
  const { subject } = caller.principal;
  const colon = subject.indexOf(':');
  return { type: subject.startsWith('virtualaccount:') ? 'VirtualAccount' : 'User', id: subject.slice(colon + 1) };
}

function resourceOf(model: string): { type: string; id: string } {
  return model.startsWith('mcp:') ? { type: 'Tool', id: model.slice('mcp:'.length) } : { type: 'Model', id: model };
}
