import { eventually, type GatewayOptions, type RunningGateway, startGateway } from './gateway.ts';

/**
 * One gateway for those tests of a file that are about no start: each configures it anew, which takes a tenth of a start.
 * What a gateway counts goes on from test to test, so their rules and budgets have different names.
 */
export class SharedGateway implements AsyncDisposable {
  readonly #start: () => Promise<RunningGateway>;
  #gateway: Promise<RunningGateway> | undefined;
  #turns = 0;

  /** `options` without manifests: those come with each test. It has one relay thread, as gateways of tests have. */
  constructor(options: GatewayOptions, start = startGateway) {
    this.#start = () => start(options);
  }

  /** Starts it with the first test. Given once these manifests are in force. */
  async configured(manifests: readonly object[]): Promise<RunningGateway> {
    this.#gateway ??= this.#start();
    const gateway = await this.#gateway;
    this.#turns += 1;
    // A key that no other configuration has: a relay thread knows it once it has the rest.
    const key = `of configuration ${this.#turns}`;
    const keys = { type: 'sluice/api-keys', keys: [{ name: key, key, subject: 'virtualaccount:shared-gateway' }] };
    await gateway.configure([...manifests, keys]);
    await eventually(`configuration ${this.#turns} is in force`, async () => {
      const response = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
      await response.arrayBuffer();
      return response.status === 200;
    });
    return gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#gateway)?.[Symbol.asyncDispose]();
  }
}
