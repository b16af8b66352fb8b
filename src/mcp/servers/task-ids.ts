import { type JsonObject, stringOf } from '../../codec/json-value.ts';
import type { Seal } from '../clients/seal.ts';
import type { Era } from '../protocol/eras.ts';

/** A task of a server, and who was given it. */
export interface OwnedTask {
  readonly server: string;
  /** As the server names it. */
  readonly id: string;
  readonly subject: string;
  /** The tool that was called. */
  readonly tool: string;
  /** In whose words it was given. */
  readonly era: Era;
}

const TASK = 'mcp task';

/**
 * Tasks as clients know them: the id says whose it is, sealed. So none is kept here, each gateway knows it, and nobody gets
 * at a task of somebody else, also where all share one credential of the server.
 */
export class TaskIds {
  readonly #seal: Seal;

  constructor(seal: Seal) {
    this.#seal = seal;
  }

  close({ server, id, subject, tool, era }: OwnedTask): string {
    return this.#seal.close(TASK, { m: server, i: id, s: subject, t: tool, ...(era === 'legacy' && { e: era }) });
  }

  /** Undefined: nobody here was given it. */
  open({ taskId }: JsonObject): OwnedTask | undefined {
    const told = typeof taskId === 'string' ? this.#seal.open(TASK, taskId) : undefined;
    const [server, id, subject, tool] = ['m', 'i', 's', 't'].map((key) => stringOf(told?.[key]));
    if (server === undefined || id === undefined || subject === undefined || tool === undefined) return undefined;
    return { server, id, subject, tool, era: told?.['e'] === 'legacy' ? 'legacy' : 'modern' };
  }
}
