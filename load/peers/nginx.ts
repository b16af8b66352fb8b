/** nginx from the system: one worker, keep-alive to the provider, no policies. The floor for anything that relays. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers, freePort, startChild, untilReady } from '../child.ts';
import type { Peer } from './peer.ts';

const READY_MS = 5000;

export const nginx: Peer = {
  name: 'nginx',
  summary: 'proxy_pass of the installed nginx, one worker, keep-alive upstream, no policies',
  async start({ mockUrl, folder }) {
    const port = await freePort();
    const prefix = join(folder, 'nginx');
    mkdirSync(join(prefix, 'temp'), { recursive: true });
    const file = join(prefix, 'nginx.conf');
    writeFileSync(file, configuration(port, new URL(mockUrl).host, prefix));
    const args = ['-p', prefix, '-c', file, '-e', join(prefix, 'error.log')];
    const child = startChild({ name: 'nginx', folder, command: 'nginx', args });
    await untilReady(child, READY_MS, answers(`http://127.0.0.1:${port}/v1/models`));
    return {
      name: 'nginx',
      baseUrl: `http://127.0.0.1:${port}/v1`,
      pid: child.pid,
      headers: { authorization: 'Bearer sk-load' },
      modelName: (mockModel) => mockModel,
      relaysBytes: true,
      checksKeys: false,
      notes: ['nginx: no policies'],
    };
  },
};

/** Connections and descriptors stay inside what the system allows anyway; request limits are out of the way. */
function configuration(port: number, upstream: string, prefix: string): string {
  const temp = (name: string): string => `${name}_temp_path ${prefix}/temp/${name};`;
  // Started by root its workers are nobody, who may not write into the folder of a run.
  const user = process.getuid?.() === 0 ? '\nuser root;' : '';
  return `daemon off;${user}
worker_processes 1;
pid ${prefix}/nginx.pid;
error_log ${prefix}/error.log warn;
events { worker_connections 16384; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(temp).join('\n  ')}
  client_max_body_size 256m;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  tcp_nodelay on;
  upstream provider {
    server ${upstream};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    # As far as it goes: the body is written to the disk, and neither checked nor kept.
    location /v1/files {
      client_body_in_file_only clean;
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length 0;
      proxy_pass_request_body off;
    }
    location / {
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 120s;
    }
  }
}
`;
}
