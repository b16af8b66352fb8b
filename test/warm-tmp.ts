import http from 'node:http'; import { readdirSync, readFileSync } from 'node:fs'; import { setTimeout as delay } from 'node:timers/promises';
import { KEY, startGateway } from './support/gateway.ts'; import { completion, sendJson, startProvider } from './support/provider.ts';
import { selfHosted } from './support/gateway.ts';
const waitMs = Number(process.argv[2] ?? 0);
const provider = await startProvider((r, res) => sendJson(res, 200, completion("hi")));
const g = await startGateway({ manifests: [selfHosted('own', `${provider.origin}/v1`, ['model'])], server: {log:{level:'warn',access:'off'}} });
const cpu = () => readdirSync(`/proc/${g.pid}/task`).map((t) => { try { return Number(readFileSync(`/proc/${g.pid}/task/${t}/schedstat`, 'utf8').split(' ')[0]); } catch { return 0; } }).reduce((a, b) => a + b, 0) / 1e6;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const url = new URL(g.url); const body = JSON.stringify({ model: 'own/model', messages: [{ role: 'user', content: 'hi' }] });
const one = () => new Promise<number>((ok, no) => { const at = performance.now(); const q = http.request({ host: url.hostname, port: url.port, path: '/v1/chat/completions', method: 'POST', agent, headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (r) => { if (r.statusCode !== 200) console.log(r.statusCode); r.resume(); r.on('end', () => ok(performance.now() - at)); }); q.on('error', no); q.end(body); });
await delay(waitMs);
// warm the client on the provider itself
const c0 = cpu(); const first = await one(); const c1 = cpu();
const a: number[] = [first]; for (let i = 0; i < 99; i++) a.push(await one()); const c2 = cpu();
const b: number[] = []; for (let i = 0; i < 1000; i++) b.push(await one()); const c3 = cpu();
const p = (l: number[], q: number) => [...l].sort((x, y) => x - y)[Math.floor(l.length * q)]!.toFixed(2);
console.log(`wait ${waitMs}: first ${first.toFixed(1)} ms, cpu ${(c1 - c0).toFixed(1)}; second ${a[1]!.toFixed(1)} third ${a[2]!.toFixed(1)}; first 100 p50 ${p(a, .5)} p99 ${p(a.slice(1), .99)} cpu/req ${((c2 - c1) / 99).toFixed(2)}; next 1000 p50 ${p(b, .5)} p99 ${p(b, .99)} cpu/req ${((c3 - c2) / 1000).toFixed(2)}`);
await g.stop(); process.exit(0);
