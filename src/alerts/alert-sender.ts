import { setTimeout as delay } from 'node:timers/promises';
import type { NotificationTarget } from '../config/channels/notification-target.ts';
import type { BudgetAlerts } from '../config/rules/counted-rules.ts';
import type { HttpClient } from '../core/http-client.ts';
import type { Log } from '../core/log.ts';
import type { MetricRegistry } from '../telemetry/metric-registry.ts';
import { alertText, alertTitle, type BudgetAlert } from './budget-alert.ts';
import { channelRequests, type HttpTarget, SLACK_POST_MESSAGE } from './channel-messages.ts';
import { deliverEmail } from './deliver-email.ts';
import { type Delivery, deliverHttp } from './deliver-http.ts';
import type { DeliveryReport } from './delivery-log.ts';

/** One try. */
const DEADLINE_MS = 10_000;
/** Before the second and the third try. */
const BACKOFF_MS: readonly number[] = [1_000, 5_000];
/** A channel that does not answer holds half a minute; others must not wait for it. */
const MOST_AT_ONCE = 8;
/** Alerts that wait; further ones are dropped and said to be. */
const MOST_WAITING = 1_000;

export interface AlertSenderOptions {
  readonly http: HttpClient;
  readonly log: Log;
  readonly deadlineMs?: number;
  readonly backoffMs?: readonly number[];
  readonly slackUrl?: string;
  /** What became of each message. */
  readonly onDelivery?: (report: DeliveryReport) => void;
}

export interface AlertDelivery {
  readonly alert: BudgetAlert;
  readonly alerts: BudgetAlerts;
  /** Whom `breaching-user` means; undefined: nobody, so that it goes to all. */
  readonly user: string | undefined;
  /** Every channel was tried. */
  readonly onDone: () => void;
}

type Send = Pick<DeliveryReport, 'channel' | 'recipient'> & { readonly once: () => Promise<Delivery> };

/** Brings alerts to their channels, each apart from the others: the main thread waits for none of it. */
export class AlertSender {
  readonly #options: AlertSenderOptions;
  readonly #waiting: AlertDelivery[] = [];
  readonly #counts = new Map<string, number>();
  readonly #stopped = new AbortController();
  #underway = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: AlertSenderOptions) {
    this.#options = options;
  }

  register(registry: MetricRegistry): void {
    registry.family(
      'counter',
      'sluice_alerts_sent_total',
      'Messages about budgets, by channel and whether they were sent',
      () =>
        [...this.#counts].map(([key, value]) => {
          const [channel = '', outcome = ''] = key.split(' ');
          return { labels: { channel, outcome }, value };
        }),
    );
  }

  send(delivery: AlertDelivery): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#waiting.length >= MOST_WAITING) {
      for (const { channel, recipient } of this.#sends(delivery)) {
        const reason = `${MOST_WAITING} others wait`;
        this.#tell({ alert: delivery.alert, channel, recipient, outcome: 'dropped', reason, tries: 0 });
      }
      this.#options.log.error({ budget: delivery.alert.budget, waiting: MOST_WAITING }, 'an alert was dropped');
      return;
    }
    this.#waiting.push(delivery);
    this.#next();
  }

  /** Lets what is begun or waiting go out, for so long; what is not sent then, another start of a gateway sends. */
  async close(graceMs: number): Promise<void> {
    if (this.#underway > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        setTimeout(resolve, graceMs).unref();
      });
    }
    this.#stopped.abort();
    this.#waiting.length = 0;
  }

  #next(): void {
    while (this.#underway < MOST_AT_ONCE) {
      const delivery = this.#waiting.shift();
      if (delivery === undefined) break;
      this.#underway += 1;
      this.#deliver(delivery).finally(() => {
        this.#underway -= 1;
        this.#next();
      });
    }
    if (this.#underway === 0) this.#onIdle?.();
  }

  async #deliver(delivery: AlertDelivery): Promise<void> {
    await Promise.all(this.#sends(delivery).map((send) => this.#withRetries(send, delivery.alert)));
    if (!this.#stopped.signal.aborted) delivery.onDone();
  }

  #sends({ alert, alerts, user }: AlertDelivery): Send[] {
    const { http, deadlineMs = DEADLINE_MS, slackUrl = SLACK_POST_MESSAGE } = this.#options;
    return targetsFor(alerts, user).flatMap((target): Send[] => {
      const channel = target.type;
      if (target.type === 'email') {
        const { smtp, from, to } = target;
        const email = { smtp, from, to, subject: alertTitle(alert), text: alertText(alert) };
        const recipient = to.join(', ');
        return to.length > 0 ? [{ channel, recipient, once: () => deliverEmail(email, deadlineMs) }] : [];
      }
      return channelRequests(target, alert, slackUrl).map((request, index) => ({
        channel,
        recipient: recipientOf(target, index),
        once: () => deliverHttp(request, http, deadlineMs),
      }));
    });
  }

  async #withRetries({ channel, recipient, once }: Send, alert: BudgetAlert): Promise<void> {
    const { budget, threshold } = alert;
    const { log, backoffMs = BACKOFF_MS } = this.#options;
    const { signal } = this.#stopped;
    for (let tries = 1; ; tries += 1) {
      const delivery = await once().catch((): Delivery => ({ sent: false, reason: 'internal_error', again: false }));
      if (delivery.sent) {
        this.#tell({ alert, channel, recipient, outcome: 'sent', tries });
        return;
      }
      const pauseMs = delivery.again ? backoffMs[tries - 1] : undefined;
      if (pauseMs === undefined) {
        this.#tell({ alert, channel, recipient, outcome: 'failed', reason: delivery.reason, tries });
        log.error({ channel, budget, threshold, tries, reason: delivery.reason }, 'an alert could not be sent');
        return;
      }
      try {
        await delay(pauseMs, undefined, { signal, ref: false });
      } catch {
        return; // Stopped.
      }
    }
  }

  #tell(report: DeliveryReport): void {
    const key = `${report.channel} ${report.outcome}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#options.onDelivery?.(report);
  }
}

/** What people are shown of a recipient, without a secret: where an address may be one, its host. */
function recipientOf(target: HttpTarget, index: number): string {
  if (target.type === 'slack-bot') return target.channels[index] ?? '';
  return URL.canParse(target.url) ? new URL(target.url).host : '';
}

/** To the one whose group it is by e-mail; where the group is no user, everybody who is named is told. */
function targetsFor({ sendTo, targets }: BudgetAlerts, user: string | undefined): readonly NotificationTarget[] {
  if (sendTo === 'shared' || user === undefined) return targets;
  const email = targets.find((target) => target.type === 'email');
  return email ? [{ ...email, to: [user] }] : targets;
}
