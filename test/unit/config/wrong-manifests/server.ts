// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${env:NAME}` is our own syntax, not a template
import type { WrongManifest } from './wrong-manifest.ts';

/** `sluice/server`. */
export const server: readonly WrongManifest[] = [
  {
    wrong: 'a port as text',
    manifest: ['type: sluice/server', 'listen: {port: "8080"}'],
    prints: [
      'a.yaml:2:16 listen.port: wrong type — found the text "8080"; allowed: a whole number from 0 to 65535. Write it without quotes',
    ],
  },
  {
    wrong: 'a port out of range',
    manifest: ['type: sluice/server', 'listen: {port: 80800}'],
    prints: [
      'a.yaml:2:16 listen.port: this value is not allowed — found 80800; allowed: a whole number from 0 to 65535',
    ],
  },
  {
    wrong: 'a host with its scheme',
    manifest: ['type: sluice/server', 'listen: {host: "http://0.0.0.0"}'],
    prints: [
      'a.yaml:2:16 listen.host: this value is not allowed — found the text "http://0.0.0.0"; allowed: an IP address or a host name',
    ],
  },
  {
    wrong: 'a number where text is wanted',
    manifest: ['type: sluice/server', 'gateway_id: 1'],
    prints: [
      'a.yaml:2:13 gateway_id: wrong type — found 1; allowed: 1 to 64 characters of A–Z a–z 0–9 . _ -. Put it in quotes',
    ],
  },
  {
    wrong: 'a boolean where a word is wanted',
    manifest: ['type: sluice/server', 'log: {access: false}'],
    prints: ['a.yaml:2:15 log.access: this value is not allowed — found false; allowed: `all`, `errors`, `off`'],
  },
  {
    wrong: 'a duration with its unit',
    manifest: ['type: sluice/server', 'timeouts: {idle_ms: 30s}'],
    prints: [
      'a.yaml:2:21 timeouts.idle_ms: wrong type — found the text "30s"; allowed: a whole number from 0 to 86400000. Write the number alone: `30000`',
    ],
  },
  {
    wrong: 'a size with its unit',
    manifest: ['type: sluice/server', 'limits: {max_body_bytes: 32MB}'],
    prints: [
      'a.yaml:2:26 limits.max_body_bytes: wrong type — found the text "32MB"; allowed: a whole number from 1 to 1073741824. Write the number alone: `33554432`',
    ],
  },
  {
    wrong: 'a negative timeout',
    manifest: ['type: sluice/server', 'timeouts: {total_ms: -1}'],
    prints: [
      'a.yaml:2:22 timeouts.total_ms: this value is not allowed — found -1; allowed: a whole number from 0 to 86400000',
    ],
  },
  {
    wrong: 'a fraction of a thread',
    manifest: ['type: sluice/server', 'threads: 1.5'],
    prints: [
      'a.yaml:2:10 threads: this value is not allowed — found 1.5; allowed: `auto` or a whole number from 1 to 256',
    ],
  },
  {
    wrong: 'no threads',
    manifest: ['type: sluice/server', 'threads: 0'],
    prints: ['a.yaml:2:10 threads: this value is not allowed — found 0; allowed: a whole number from 1 to 256'],
  },
  {
    wrong: 'a log level of another program',
    manifest: ['type: sluice/server', 'log: {level: warning}'],
    prints: [
      'a.yaml:2:14 log.level: this value is not allowed — found the text "warning"; allowed: `debug`, `info`, `warn`, `error`. Did you mean `warn`?',
    ],
  },
  {
    wrong: 'yes in place of true',
    manifest: ['type: sluice/server', 'demo: yes'],
    prints: [
      'a.yaml:2:7 demo: this value is not allowed — found the text "yes"; allowed: `auto` or `true` or `false`. Write `true`',
    ],
  },
  {
    wrong: 'a list where a map is wanted',
    manifest: ['type: sluice/server', 'listen: [127.0.0.1, 8787]'],
    prints: ['a.yaml:2:9 listen: wrong type — found a list of 2; allowed: a map'],
  },
  {
    wrong: 'a setting misspelt',
    manifest: ['type: sluice/server', 'limts: {max_in_flight: 10}'],
    prints: [
      'a.yaml:2:1 limts: the key `limts` is not known here, and what it seems to mean would not hold. Did you mean `limits`?',
    ],
  },
  {
    wrong: 'a setting in camelCase',
    manifest: ['type: sluice/server', 'keepaliveCommentMs: 0'],
    prints: [
      'a.yaml:2:1 keepaliveCommentMs: the key `keepaliveCommentMs` is not known here, and what it seems to mean would not hold. Did you mean `keepalive_comment_ms`?',
    ],
  },
  {
    wrong: 'a setting with a dash',
    manifest: ['type: sluice/server', 'data-dir: /var/lib/sluice'],
    prints: [
      'a.yaml:2:1 data-dir: the key `data-dir` is not known here, and what it seems to mean would not hold. Did you mean `data_dir`?',
    ],
  },
  {
    wrong: 'a setting misspelt one level down',
    manifest: ['type: sluice/server', 'listen: {tls: {cert: a.pem, key_file: b.pem}}'],
    prints: [
      'a.yaml:2:15 listen.tls.cert_file: this key is missing — allowed: one line of text, 1 to 4096 characters, without control characters',
      'a.yaml:2:16 listen.tls.cert: warning: the key `cert` is not known here and has no effect. Did you mean `cert_file`?',
    ],
  },
  {
    wrong: 'a setting of another program',
    manifest: ['type: sluice/server', 'worker_connections: 1024'],
    prints: [
      'a.yaml:2:1 worker_connections: warning: the key `worker_connections` is not known here and has no effect',
    ],
  },
  {
    wrong: 'a setting at another level',
    manifest: ['type: sluice/server', 'admin_key: "${env:KEY}"'],
    prints: [
      'a.yaml:2:1 admin_key: warning: the key `admin_key` is not known here and has no effect. Its place is `operator.admin_key`',
    ],
  },
  {
    wrong: 'a database of another vendor',
    manifest: ['type: sluice/server', 'store: {database: "mysql://user:secret@db/sluice"}'],
    prints: [
      'a.yaml:2:19 store.database: this value is not allowed — found an address (not shown); allowed: `sqlite` or `postgres://user:password@host:5432/database`',
      'a.yaml:2:19 store.database: warning: a secret stands literally in this file. Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
    ],
  },
  {
    wrong: 'a bucket whose name is none',
    manifest: ['type: sluice/server', 'store: {blobs: "s3://My_Bucket/prefix"}'],
    prints: [
      'a.yaml:2:16 store.blobs: this value is not allowed — found an address (not shown); allowed: `disk` or `s3://bucket/prefix`',
    ],
  },
  {
    wrong: 'an origin with a path',
    manifest: ['type: sluice/server', 'cors: {allowed_origins: ["https://app.example.com/"]}'],
    prints: [
      'a.yaml:2:26 cors.allowed_origins[0]: this value is not allowed — found the text "https://app.example.com/"; allowed: `*`, or origins as a browser sends them: `https://app.example.com`, with a port only if unusual',
    ],
  },
  {
    wrong: 'cors without origins',
    manifest: ['type: sluice/server', 'cors: {allowed_origins: []}'],
    prints: [
      'a.yaml:2:25 cors.allowed_origins: this value is not allowed — found a list of 0; allowed: at least one origin',
    ],
  },
  {
    wrong: 'the operator port on the listening port',
    manifest: ['type: sluice/server', 'listen: {port: 9000}', 'operator: {port: 9000}'],
    prints: ['a.yaml:3:18 operator.port: this is the port of `listen` already — found 9000'],
  },
  {
    wrong: 'a certificate that is not there',
    manifest: ['type: sluice/server', 'listen: {tls: {cert_file: ./cert.pem, key_file: ./key.pem}}'],
    prints: [
      'a.yaml:2:27 listen.tls.cert_file: cannot read cert.pem: there is no such file or folder',
      'a.yaml:2:49 listen.tls.key_file: cannot read key.pem: there is no such file or folder',
    ],
  },
  {
    wrong: 'an empty admin key',
    manifest: ['type: sluice/server', 'operator: {admin_key: ""}'],
    prints: [
      'a.yaml:2:23 operator.admin_key: this value is not allowed — found an empty text; allowed: one line of text, 1 to 4096 characters, without control characters',
    ],
  },
  {
    wrong: 'a proxy without its scheme',
    manifest: ['type: sluice/server', 'upstream: {proxy: "proxy.example.com:3128"}'],
    prints: [
      'a.yaml:2:19 upstream.proxy: this value is not allowed — found the text "proxy.example.com:3128"; allowed: `none`, or an address as `http://user:password@proxy.example.com:3128`',
    ],
  },
  {
    wrong: 'a SOCKS proxy with its password',
    manifest: ['type: sluice/server', 'upstream: {proxy: "socks5://user:secret@proxy:1080"}'],
    prints: [
      'a.yaml:2:19 upstream.proxy: this value is not allowed — found an address (not shown); allowed: `none`, or an address as `http://user:password@proxy.example.com:3128`',
      'a.yaml:2:19 upstream.proxy: warning: a secret stands literally in this file. Keep it out of the file: "${env:NAME}" or "${file:PATH}"',
    ],
  },
  {
    wrong: '`no_proxies` in place of `no_proxy`',
    manifest: ['type: sluice/server', 'upstream: {proxy: none, no_proxies: [10.0.0.0/8]}'],
    prints: [
      'a.yaml:2:25 upstream.no_proxies: the key `no_proxies` is not known here, and what it seems to mean would not hold. Did you mean `no_proxy`?',
    ],
  },
  {
    wrong: 'hosts without a proxy as one text',
    manifest: ['type: sluice/server', 'upstream: {no_proxy: "localhost,10.0.0.0/8"}'],
    prints: [
      'a.yaml:2:22 upstream.no_proxy: wrong type — found the text "localhost,10.0.0.0/8"; allowed: a list. Write a list: `["localhost,10.0.0.0/8"]`',
    ],
  },
  {
    wrong: 'authorities that are not there',
    manifest: ['type: sluice/server', 'upstream: {ca_file: ./ca.pem}'],
    prints: ['a.yaml:2:21 upstream.ca_file: cannot read ca.pem: there is no such file or folder'],
  },
  {
    wrong: 'a price list at two places',
    manifest: ['type: sluice/server', 'prices: {file: ./prices.json, url: "https://prices.example.com/p.json"}'],
    prints: [
      'a.yaml:2:9 prices: it must be said once where the list is — found both; allowed: exactly one of `file` and `url`',
    ],
  },
  {
    wrong: 'a price list that is not signed, over plain HTTP',
    manifest: ['type: sluice/server', 'prices: {url: "http://prices.example.com/p.json"}'],
    prints: [
      'a.yaml:2:15 prices.url: this value is not allowed — found the text "http://prices.example.com/p.json"; allowed: an https:// address (http:// with `public_key`, or on this machine) without user name and fragment',
    ],
  },
  {
    wrong: 'a key for signatures that is none',
    manifest: ['type: sluice/server', 'prices: {url: "https://prices.example.com/p.json", public_key: abc}'],
    prints: [
      'a.yaml:2:64 prices.public_key: this value is not allowed — found the text "abc"; allowed: an Ed25519 key, as PEM or as its 32 bytes in base64',
    ],
  },
  {
    wrong: 'limits of the server one level up',
    manifest: ['type: sluice/server', 'max_in_flight: 10'],
    prints: [
      'a.yaml:2:1 max_in_flight: the key `max_in_flight` does not belong here, and what it means would not hold. Its place is `limits.max_in_flight`',
    ],
  },
];
