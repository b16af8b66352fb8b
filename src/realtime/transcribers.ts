import { GatewayError } from '../core/errors.ts';
import type { OrError } from '../core/exchange.ts';
import type { Snapshot } from '../pipeline/pipeline-options.ts';
import type { Caller } from '../policy/caller.ts';
import type { Target } from '../providers/provider.ts';
import type { Heard } from '../providers/realtime-form.ts';
import type { RealtimeTurns } from './realtime-turns.ts';

/** The model of the session's account that is meant by a name of the provider's or of the gateway's. */
export function transcriberOf({ routes }: Pick<Snapshot, 'routes'>, session: Target, name: string): Target {
  const { account: accountName, price } = session;
  const own = name.startsWith(`${accountName}/`) ? name.slice(accountName.length + 1) : name;
  const account = routes.account(accountName);
  const listed = account?.target(own) ?? account?.listed.find(({ modelId }) => modelId === own);
  if (listed !== undefined) return listed;
  // A model that nobody listed costs what the provider's list says.
  const { catalogueId, discountPercent } = price;
  const listPrice = { catalogueId, modelId: own, ...(discountPercent !== undefined && { discountPercent }) };
  return { ...session, id: `${accountName}/${own}`, modelId: own, modelTypes: undefined, price: listPrice };
}

/** The provider's name of a model that is to transcribe, where its caller may use it. */
export function permittedTranscriber(target: Target, caller: OrError<Caller>): OrError<string> {
  if (caller instanceof GatewayError) return caller;
  if (caller.allows(target.id)) return target.modelId;
  const { subject } = caller.principal;
  const detail = `\`${subject}\` may not use \`${target.id}\`, which is to transcribe.`;
  return new GatewayError('model_forbidden', { param: 'session.audio.input.transcription.model', detail });
}

/** Models that may have transcribed in one session, each with what is under way of it. */
const MAX_TRANSCRIBERS = 4;

/** What a model transcribes beside that of the session: it has turns of its own, with limits, records and a price. */
export class SideTranscripts {
  readonly #make: (model: string) => RealtimeTurns;
  /** By the provider's names; the last one named stands last. */
  readonly #turns = new Map<string, RealtimeTurns>();
  #isOn = false;

  constructor(make: (model: string) => RealtimeTurns) {
    this.#make = make;
  }

  /** This one transcribes from now on; null: none does. */
  is(model: string | null): void {
    this.#isOn = model !== null;
    if (model === null) return;
    const turns = this.#turns.get(model) ?? this.#make(model);
    this.#turns.delete(model);
    this.#turns.set(model, turns);
    if (this.#turns.size <= MAX_TRANSCRIBERS) return;
    const [first = ''] = this.#turns.keys();
    this.#turns.get(first)?.close(new GatewayError('upstream_cut'));
    this.#turns.delete(first);
  }

  /** Whose transcript it is; undefined: nobody was said to transcribe. */
  turnsOf({ begins }: NonNullable<Heard['transcript']>): RealtimeTurns | undefined {
    return begins && !this.#isOn ? undefined : [...this.#turns.values()].at(-1);
  }

  close(error: GatewayError): void {
    for (const turns of this.#turns.values()) turns.close(error);
  }
}
