import { GatewayError } from '../core/errors.ts';
import type { AgentRequest } from './agent-request.ts';
import type { ToolCall } from './agent-voice.ts';

/**
 * What the client decided about calls that waited when it came. Ids are the model's own, so they say nothing of a call that
 * it makes later.
 */
export class AgentApprovals {
  #decisions: AgentRequest['approvals'];

  constructor(decisions: AgentRequest['approvals']) {
    this.#decisions = decisions;
  }

  /** Undefined: nothing was decided. */
  of(id: string): 'approve' | 'reject' | undefined {
    return Object.hasOwn(this.#decisions, id) ? this.#decisions[id] : undefined;
  }

  /** A decision about one call must not be taken for one about another, to which the model gave the same id. */
  ambiguous(waiting: readonly ToolCall[]): GatewayError | undefined {
    const decided = waiting.filter(({ id }) => this.of(id) !== undefined).map(({ id }) => id);
    const twice = decided.find((id, index) => decided.indexOf(id) !== index);
    if (twice === undefined) return undefined;
    const param = 'tool_approvals';
    const detail = `\`${param}\`: Two calls that wait have the id \`${twice.slice(0, 64)}\`; ask the model anew.`;
    return new GatewayError('invalid_parameter', { param, detail });
  }

  /** The calls that waited were made, or rejected. */
  forget(): void {
    this.#decisions = {};
  }
}
