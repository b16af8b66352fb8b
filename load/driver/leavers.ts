/** Clients that close their socket in the middle; says when each left, so that it can be matched with what the mock saw. */
import type { JobResult, Leavers } from './job.ts';
import { ramp } from './ramp.ts';
import { RawClient, requestBytes } from './raw-client.ts';
import { monotonicUs, Tally } from './tally.ts';

export async function leavers(job: Leavers): Promise<JobResult> {
  const tally = new Tally();
  const left: { user: string; atUs: number }[] = [];
  let waiting = job.clients;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      if (--waiting === 0) resolve();
    };
    ramp((job.clients / job.perSecond) * 1000, job.clients, (index) => {
      const user = `leaver-${index}`;
      const request = { ...job.request, body: job.request.body.replace('{n}', user) };
      const client = new RawClient(job.request.url);
      let leaving = false;
      const leaveIn = (ms: number): void => {
        if (leaving) return;
        leaving = true;
        setTimeout(() => {
          left.push({ user, atUs: monotonicUs() });
          client.leave();
          tally.completed++;
          done();
        }, ms);
      };
      const fail = (reason: string): void => {
        tally.error(reason);
        if (!leaving) done();
      };
      client.send(requestBytes(request), {
        onBody: () => 'afterContentMs' in job.leave && leaveIn(job.leave.afterContentMs),
        onEnd: () => fail('answer ended before the client left'),
        onFailure: fail,
      });
      if ('afterSendMs' in job.leave) leaveIn(job.leave.afterSendMs);
    });
  });
  return { ...tally.result(), left };
}
