import type { Configuration } from '../config/configuration.ts';
import type { AccountToken } from '../core/account-token.ts';
import type { TargetHealth } from '../operator/admin/targets.ts';
import { openAccounts } from '../plugs.ts';
import type { HealthMemory, Place } from '../routing/place.ts';
import { placesOf, type TargetView, viewOf } from '../routing/target-list.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import type { Sharing } from './health-share.ts';
import type { MainService } from './main-service.ts';

export interface TargetHealthOptions {
  readonly memory: HealthMemory;
  readonly configuration: () => Configuration;
  readonly sharing: () => Sharing;
  readonly tokens: () => readonly AccountToken[];
}

/** What relay threads know of targets, read from the memory that they share; made when somebody asks. */
export class TargetHealthView implements MainService, TargetHealth {
  readonly #options: TargetHealthOptions;
  #places: readonly Place[] | undefined;

  constructor(options: TargetHealthOptions) {
    this.#options = options;
  }

  get sharing(): Sharing {
    return this.#options.sharing();
  }

  views(): TargetView[] {
    const now = this.#options.memory.now();
    const wallMs = Date.now();
    return this.#all().map((place) => viewOf(place, now, wallMs));
  }

  reset(target: string | undefined): string[] {
    const places = this.#all().filter((place) => target === undefined || place.target.id === target);
    for (const place of places) place.reset();
    return [...new Set(places.map((place) => place.target.id))];
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'gauge',
      'sluice_target_up',
      'Whether a target of virtual models can be asked, by any of its keys',
      () => {
        const up = new Map<string, number>();
        for (const { target, state } of this.views()) {
          if (state === 'up' || state === 'recovering') up.set(target, 1);
          else if (!up.has(target)) up.set(target, 0);
        }
        return [...up].map(([target, value]) => ({ labels: { target }, value }));
      },
    );
  }

  reconfigure(): void {
    this.#places = undefined;
  }

  close(): void {}

  #all(): readonly Place[] {
    if (this.#places === undefined) {
      const configuration = this.#options.configuration();
      const tokens = new Map(this.#options.tokens().map((token) => [token.id, token]));
      this.#places = placesOf(configuration, openAccounts(configuration, tokens), this.#options.memory);
    }
    return this.#places;
  }
}
