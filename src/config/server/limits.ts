import { z } from 'zod';
import { keyWithDefault, wholeNumber } from '../scalar-schema.ts';
import { gibibyte, milliseconds, type SettingsOf, section } from './section.ts';

export const limits = section(
  z.object({
    max_body_bytes: keyWithDefault(wholeNumber(1, gibibyte), 33_554_432).describe('Bound of one request body (413).'),
    max_file_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), 536_870_912).describe(
      'Bound of one file that is uploaded (413).',
    ),
    max_body_memory_bytes: keyWithDefault(wholeNumber(1, 1024 * gibibyte), gibibyte).describe(
      'Bound of all request bodies held at once (503).',
    ),
    max_header_bytes: keyWithDefault(wholeNumber(4096, 1_048_576), 16_384).describe(
      'Bound of the head of one request (431).',
    ),
    max_in_flight: keyWithDefault(wholeNumber(1, 1_000_000), 16_384).describe(
      'Bound of open exchanges, over all threads (503).',
    ),
    high_watermark_bytes: keyWithDefault(wholeNumber(4096, 67_108_864), 65_536).describe(
      'Bytes that may wait for one slow client before its provider is paused.',
    ),
    max_upstream_connections: keyWithDefault(wholeNumber(1, 65_536), 16_384).describe(
      'Bound of connections per thread, provider address and credential.',
    ),
    max_upstream_queue: keyWithDefault(wholeNumber(0, 1_000_000), 4096).describe(
      'Bound of exchanges that wait for one of those connections (503).',
    ),
    max_translate_bytes: keyWithDefault(wholeNumber(1024, gibibyte), 33_554_432).describe(
      'Bound of one whole answer or one event that is to be translated (502).',
    ),
    max_event_bytes: keyWithDefault(wholeNumber(65_536, gibibyte), 16_777_216).describe(
      'Bound of one event of a stream that is held until it is whole; a larger one passes in pieces.',
    ),
  }),
);

export const timeouts = section(
  z.object({
    body_ms: keyWithDefault(milliseconds, 30_000).describe(
      'From the head of a request to the last byte of its body; of a file between two pieces of it (408).',
    ),
    upload_ms: keyWithDefault(milliseconds, 3_600_000).describe(
      'From the head of an upload to the last byte of its file (408).',
    ),
    connect_ms: keyWithDefault(milliseconds, 5000).describe('Until a request has a connection to its provider (504).'),
    first_byte_ms: keyWithDefault(milliseconds, 600_000).describe(
      'From sending a request to the first content of its answer (504).',
    ),
    idle_ms: keyWithDefault(milliseconds, 120_000).describe(
      'Between two pieces of content (504, in a stream an error event).',
    ),
    total_ms: keyWithDefault(milliseconds, 0).describe('The whole exchange (504, in a stream an error event).'),
    write_ms: keyWithDefault(milliseconds, 60_000).describe(
      'How long a client may take nothing of what is to be written; then its connection is closed.',
    ),
    drain_ms: keyWithDefault(milliseconds, 30_000).describe('How long open exchanges may go on after a stop signal.'),
    keep_alive_ms: keyWithDefault(milliseconds, 75_000).describe(
      'How long a client connection may be idle before it is closed; longer than the idle time of a load balancer.',
    ),
  }),
);

export type Limits = SettingsOf<typeof limits>;

export type Timeouts = SettingsOf<typeof timeouts>;
