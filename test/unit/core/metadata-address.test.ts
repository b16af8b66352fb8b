import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMetadataAddress } from '../../../src/core/metadata-address.ts';

test('addresses of metadata services are known in every spelling, and no others are taken for them', () => {
  const refused = [
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '[fe80::1]',
    'fe80::1%eth0',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '[::ffff:a9fe:a9fe]',
    '64:ff9b::a9fe:a9fe',
    'metadata.google.internal',
    'METADATA.google.internal.',
  ];
  for (const address of refused) assert.ok(isMetadataAddress(address), address);
  for (const address of ['127.0.0.1', '10.0.0.1', '::1', '2001:db8::1', 'mcp.example.com', '::ffff:10.0.0.1']) {
    assert.ok(!isMetadataAddress(address), address);
  }
});

test('a URL of such an address is written in the forms that are known', () => {
  for (const url of ['http://0xa9fea9fe/', 'http://2852039166/', 'http://[::ffff:169.254.169.254]/']) {
    assert.ok(isMetadataAddress(new URL(url).hostname), url);
  }
});
