import type { NotificationTarget } from '../config/channels/notification-target.ts';
import { alertId, alertJson, alertText, alertTitle, type BudgetAlert } from './budget-alert.ts';

/** One HTTP request that delivers an alert. Holds secrets: never logged. */
export interface ChannelRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
  /** Whether the answer's body says that it failed although its status does not. */
  readonly answers: 'status' | 'slack-json';
}

export type HttpTarget = Exclude<NotificationTarget, { type: 'email' }>;

/** https://docs.slack.dev/reference/methods/chat.postMessage */
export const SLACK_POST_MESSAGE = 'https://slack.com/api/chat.postMessage';

/** A bot posts once in each of its channels, all others make one request. */
export function channelRequests(target: HttpTarget, alert: BudgetAlert, slackUrl: string): ChannelRequest[] {
  switch (target.type) {
    case 'webhook':
      return [{ url: target.url, headers: target.headers ?? {}, body: alertJson(alert), answers: 'status' }];
    case 'slack-webhook':
      return [{ url: target.url, headers: target.headers ?? {}, body: slackMessage(alert), answers: 'status' }];
    case 'ms-teams-webhook':
      return [{ url: target.url, headers: target.headers ?? {}, body: teamsMessage(alert), answers: 'status' }];
    case 'pagerduty':
      return [{ url: target.url, headers: {}, body: pagerdutyEvent(target.integrationKey, alert), answers: 'status' }];
    case 'slack-bot':
      return target.channels.map((channel) => ({
        url: slackUrl,
        headers: { authorization: `Bearer ${target.botToken}` },
        body: { channel, ...slackMessage(alert) },
        answers: 'slack-json',
      }));
  }
}

/** Slack reads `<!channel>` and links in text: what a request put into its metadata must stay text. */
function slackMessage(alert: BudgetAlert): object {
  const text = alertText(alert).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return { text };
}

/** An adaptive card, as both the workflows and the older connectors of Teams take it. Its text is Markdown. */
function teamsMessage(alert: BudgetAlert): object {
  const markdown = (text: string): string => text.replaceAll(/[\\`*_[\]()#~|<>]/g, '\\$&');
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.2',
          body: [
            { type: 'TextBlock', size: 'Medium', weight: 'Bolder', wrap: true, text: markdown(alertTitle(alert)) },
            { type: 'TextBlock', wrap: true, text: markdown(alertText(alert)) },
          ],
        },
      },
    ],
  };
}

/** https://developer.pagerduty.com/docs/send-alert-event: 255 characters of key, 1,024 of summary. */
function pagerdutyEvent(integrationKey: string, alert: BudgetAlert): object {
  return {
    routing_key: integrationKey,
    event_action: 'trigger',
    dedup_key: alertId(alert).slice(0, 255),
    payload: {
      summary: alertText(alert).slice(0, 1024),
      source: 'sluice',
      severity: alert.threshold === 'refuses' || alert.threshold >= 100 ? 'critical' : 'warning',
      component: alert.budget,
      custom_details: alertJson(alert),
    },
  };
}
