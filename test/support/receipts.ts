import { ADMIN_KEY } from './budgets.ts';
import { eventually, type RunningGateway } from './gateway.ts';

/** The receipt of an exchange, once it is there; its id may be told by the head of its answer. */
export async function receiptOf(gateway: RunningGateway, exchange: Response | string) {
  const id = typeof exchange === 'string' ? exchange : (exchange.headers.get('x-sluice-exchange-id') ?? '');
  let text = '';
  await eventually('the receipt is there', async () => {
    const found = await fetch(`${gateway.operatorUrl}/admin/receipts/${id}`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    text = await found.text();
    return found.status === 200;
  });
  return JSON.parse(text);
}
