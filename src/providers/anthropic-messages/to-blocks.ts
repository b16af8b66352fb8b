import { parseExact } from '../../codec/exact-json.ts';
import { GatewayError } from '../../core/errors.ts';
import type { OrError } from '../../core/exchange.ts';
import type { Part } from '../../inference/request.ts';
import { plainSignature } from '../../inference/signature.ts';
import { strictToolCallId } from '../base/tool-call-id.ts';

/** A content block of the Messages API, as it goes into the body. */
export type Block = { type: string } & Record<string, unknown>;

/** Undefined: the part says nothing that Anthropic would take. */
function toBlock(part: Part): OrError<Block | undefined> {
  const block = blockOf(part);
  if (block !== undefined && !(block instanceof GatewayError) && part.cacheControl) {
    block['cache_control'] = part.cacheControl;
  }
  return block;
}

export function toBlocks(parts: readonly Part[]): OrError<Block[]> {
  const blocks: Block[] = [];
  for (const part of parts) {
    const block = toBlock(part);
    if (block instanceof GatewayError) return block;
    if (block !== undefined) blocks.push(block);
  }
  return blocks;
}

function blockOf(part: Part): OrError<Block | undefined> {
  switch (part.type) {
    case 'text':
    case 'refusal':
      // An empty text block is a 400 of its own: "text content blocks must contain non-whitespace text".
      return part.text.trim() === '' ? undefined : { type: 'text', text: part.text };
    case 'image':
      return { type: 'image', source: imageSource(part.source) };
    case 'file':
      return fileBlock(part);
    case 'audio':
      return new GatewayError('unsupported_parameter', {
        param: 'messages',
        detail: 'Anthropic takes no audio input.',
      });
    case 'reasoning':
      // Without a proof of Anthropic's it is only text that a model may have said, and Anthropic refuses it.
      return thinkingBlock(part.text, plainSignature(part.signature));
    case 'redacted-reasoning':
      return { type: 'redacted_thinking', data: part.data };
    case 'tool-call':
      return toolUse(part);
    case 'tool-result': {
      const content = toBlocks(part.parts);
      if (content instanceof GatewayError) return content;
      return {
        type: 'tool_result',
        tool_use_id: strictToolCallId(part.toolCallId),
        content: content.length > 0 ? content : undefined,
        is_error: part.isError,
      };
    }
  }
}

function thinkingBlock(thinking: string, signature: string | undefined): Block | undefined {
  return signature ? { type: 'thinking', thinking, signature } : undefined;
}

function imageSource(source: { url: string } | { base64: string; mediaType: string }) {
  if ('url' in source) return { type: 'url', url: source.url };
  return { type: 'base64', media_type: source.mediaType, data: source.base64 };
}

function fileBlock(part: Extract<Part, { type: 'file' }>): OrError<Block> {
  const title = part.filename;
  if (part.fileId !== undefined) return { type: 'document', source: { type: 'file', file_id: part.fileId }, title };
  if (part.url !== undefined) return { type: 'document', source: { type: 'url', url: part.url }, title };
  const data = part.base64 ?? '';
  const mediaType = part.mediaType ?? (title?.toLowerCase().endsWith('.pdf') ? 'application/pdf' : undefined);
  if (mediaType === 'application/pdf') {
    return { type: 'document', source: { type: 'base64', media_type: mediaType, data }, title };
  }
  if (mediaType?.startsWith('image/'))
    return { type: 'image', source: { type: 'base64', media_type: mediaType, data } };
  if (mediaType?.startsWith('text/')) {
    const text = Buffer.from(data, 'base64').toString('utf8');
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, title };
  }
  return new GatewayError('unsupported_parameter', {
    param: 'messages',
    detail: 'Anthropic takes files of type PDF, text and image; send them as a data: URL that says its type.',
  });
}

/**
 * OpenAI carries arguments as text, Anthropic as an object. A past call whose arguments were cut must not make every later
 * turn fail: its text goes on in an object that says so, as Anthropic advises for broken input that is sent back.
 * https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming#handling-invalid-json-in-tool-responses
 */
function toolUse(part: Extract<Part, { type: 'tool-call' }>): Block {
  const text = part.argumentsText.trim();
  const block = { type: 'tool_use', id: strictToolCallId(part.id), name: part.name };
  if (text === '') return { ...block, input: {} };
  try {
    if (text.startsWith('{')) return { ...block, input: parseExact(text) };
  } catch {
    // Not JSON: sent on as text, as what is JSON but no object.
  }
  return { ...block, input: { INVALID_JSON: part.argumentsText } };
}
