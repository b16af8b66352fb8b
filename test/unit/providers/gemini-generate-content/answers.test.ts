import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/core/errors.ts';
import { toUsage } from '../../../../src/providers/gemini-generate-content/to-usage.ts';
import { geminiWire } from '../../../../src/providers/gemini-generate-content/wire.ts';
import { streamedAnswer, wholeAnswer } from '../../../support/translated-answer.ts';

const translation = geminiWire.translation!;
const usageMetadata = { promptTokenCount: 3, candidatesTokenCount: 4, totalTokenCount: 7 };

type Candidate = Record<string, unknown>;
const answerOf = (...candidates: Candidate[]) => ({
  candidates,
  usageMetadata,
  responseId: 'r1',
  modelVersion: 'gemini-3',
});
const said = (...parts: object[]): Candidate => ({ content: { role: 'model', parts }, finishReason: 'STOP' });

function choiceOf(candidate: Candidate, strict = false) {
  return wholeAnswer(translation, answerOf(candidate), strict).choices[0]!;
}
/** All but the last candidate without a finish reason. */
function streamOf(...answers: object[]) {
  return streamedAnswer(
    translation,
    answers.map((answer) => ['', answer] as const),
  ).choices[0]!;
}

test('a finish reason that Gemini names with every piece ends the answer once, behind the last', () => {
  const piece = (text: string) => answerOf(said({ text }));
  const { message, finish_reason: reason } = streamOf(piece('a'), piece('b'), piece('c'));
  assert.equal(message.content, 'abc');
  assert.equal(reason, 'stop');
  const called = streamOf(piece('a'), answerOf(said({ functionCall: { name: 'f', args: {} } })));
  assert.equal(called.finish_reason, 'tool_calls');
});

test('arguments of a call that come in pieces are put together at the places that they name', () => {
  const call = (functionCall: object) => answerOf({ content: { parts: [{ functionCall }] } });
  const { message, finish_reason: reason } = streamOf(
    call({ name: 'plan', id: 'fc-1', willContinue: true }),
    call({ partialArgs: [{ jsonPath: '$.city', stringValue: 'New ', willContinue: true }], willContinue: true }),
    call({ partialArgs: [{ jsonPath: '$.city', stringValue: 'Delhi' }], willContinue: true }),
    call({
      partialArgs: [
        { jsonPath: '$.days[0].high', numberValue: 31.5 },
        { jsonPath: "$['wet day']", boolValue: false },
        { jsonPath: '$.note', nullValue: 'NULL_VALUE' },
        { jsonPath: '$.__proto__', stringValue: 'x' },
        { jsonPath: '$.days[99999999]', numberValue: 1 },
      ],
      willContinue: true,
    }),
    call({}),
    answerOf(said({ functionCall: { name: 'now' } })),
  );
  assert.equal(reason, 'tool_calls');
  assert.deepEqual(
    message['tool_calls'].map((each: { id: string; function: { name: string; arguments: string } }) => [
      each.id,
      each.function.name,
      each.function.arguments,
    ]),
    [
      ['fc-1', 'plan', '{"city":"New Delhi","days":[{"high":31.5}],"wet day":false,"note":null,"__proto__":"x"}'],
      ['call_r1_1', 'now', '{}'],
    ],
  );
});

test('work of Google’s own tools is told beside the answer, and is no call of the client', () => {
  const code = { executableCode: { language: 'PYTHON', code: 'print(1)' } };
  const result = { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1\n' } };
  const search = { toolCall: { toolType: 'GOOGLE_SEARCH_WEB', id: 's1', args: { queries: ['x'] } } };
  const found = { toolResponse: { toolType: 'GOOGLE_SEARCH_WEB', id: 's1', response: {} } };
  const { message, finish_reason: reason } = choiceOf(
    said(code, { ...result, thoughtSignature: 'c2ln' }, search, found, { text: 'One.' }),
  );
  assert.equal(message.content, 'One.');
  assert.equal(reason, 'stop');
  assert.equal(message['tool_calls'], undefined);
  assert.deepEqual(message['code_execution'], [code, result]);
  assert.deepEqual(message['server_tools'], [search, found]);
  assert.deepEqual(message['thinking_blocks'], [{ type: 'thinking', thinking: '', signature: 'gemini.c2ln' }]);
});

test('speech is the audio of the message, images are its images, and what was drawn in thought is neither', () => {
  const sound = { inlineData: { mimeType: 'audio/L16;codec=pcm;rate=24000', data: 'AAAA' } };
  const image = { inlineData: { mimeType: 'image/png', data: 'iVBO' } };
  const { message } = choiceOf(said({ ...image, thought: true }, image, sound));
  assert.equal(message.content, null);
  assert.deepEqual(message['audio'], {
    id: 'audio_ex_1',
    data: 'AAAA',
    expires_at: 1,
    transcript: '',
    mime_type: 'audio/L16;codec=pcm;rate=24000',
  });
  assert.deepEqual(message['images'], [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBO' } }]);
  assert.deepEqual(message['thought_inline_data'], [{ mime_type: 'image/png', data: 'iVBO' }]);
  const strict = choiceOf(said(sound), true).message;
  assert.deepEqual(Object.keys(strict['audio']), ['id', 'data', 'expires_at', 'transcript']);
});

test('a part of a kind that nobody knows yet is told as it is', () => {
  const part = { fileData: { mimeType: 'video/mp4', fileUri: 'gs://b/v.mp4' } };
  assert.deepEqual(choiceOf(said({ text: 'Here.' }, part)).message['other_content'], [part]);
});

test('a refused prompt is a filtered answer with what Google says of it, whole and streamed', () => {
  const promptFeedback = {
    blockReason: 'PROHIBITED_CONTENT',
    blockReasonMessage: 'The prompt was blocked.',
    safetyRatings: [{ category: 'HARM_CATEGORY_HARASSMENT', probability: 'HIGH', blocked: true }],
  };
  const answer = { promptFeedback, usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 } };
  const whole = wholeAnswer(translation, answer);
  for (const choice of [whole.choices[0]!, streamOf(answer)]) {
    assert.equal(choice.finish_reason, 'content_filter');
    assert.equal(choice.message.refusal, 'The prompt was blocked.');
    assert.deepEqual(choice.message['prompt_feedback'], promptFeedback);
  }
  assert.equal(whole.usage.prompt_tokens, 3);
});

test('an answer that was stopped says why: ratings of a filtered one, the message of a failed call', () => {
  const safetyRatings = [{ category: 'HARM_CATEGORY_DANGEROUS_CONTENT', probability: 'HIGH', blocked: true }];
  const blocked = choiceOf({ finishReason: 'SAFETY', safetyRatings });
  assert.equal(blocked.finish_reason, 'content_filter');
  assert.deepEqual(blocked.message['safety_ratings'], safetyRatings);
  const malformed = choiceOf({ finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: 'Malformed call: f(' });
  assert.equal(malformed.finish_reason, 'malformed_function_call');
  assert.equal(malformed.message['finish_message'], 'Malformed call: f(');
  assert.equal(
    choiceOf({ ...said({ text: 'x' }), safetyRatings: [], finishMessage: 'Done.' }).message['finish_message'],
    undefined,
  );
});

test('every finish reason of Google’s is one of OpenAI’s where there is one, and no clean end where there is none', () => {
  const words = (reasons: string[]) => reasons.map((finishReason) => choiceOf({ finishReason }).finish_reason);
  const filtered = ['SAFETY', 'RECITATION', 'LANGUAGE', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII', 'IMAGE_SAFETY'];
  filtered.push('IMAGE_PROHIBITED_CONTENT', 'IMAGE_RECITATION', 'MODEL_ARMOR');
  assert.deepEqual(new Set(words(filtered)), new Set(['content_filter']));
  const failed = ['OTHER', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS', 'NO_IMAGE', 'IMAGE_OTHER'];
  assert.deepEqual(
    words(failed),
    failed.map((word) => word.toLowerCase()),
  );
  assert.deepEqual(words(['STOP', 'MAX_TOKENS', 'CONTINUATION']), ['stop', 'length', 'pause']);
});

test('an answer of Gemini without a token has used none, and before its end what is not told is not known', () => {
  const told = { promptTokenCount: 3, totalTokenCount: 3 };
  const ended = { candidates: [{ finishReason: 'STOP' }], usageMetadata: told };
  const { prompt_tokens, completion_tokens, total_tokens } = wholeAnswer(translation, ended).usage;
  assert.deepEqual([prompt_tokens, completion_tokens, total_tokens], [3, 0, 3]);
  const begun = { candidates: [{ content: { role: 'model', parts: [{ text: 'x' }] } }] };
  assert.equal(toUsage(told, begun)?.outputTokens, undefined);
});

test('an answer without content is an empty one, a whole one without a reason has ended, and none at all is a failure', () => {
  assert.equal(choiceOf({ finishReason: 'STOP' }).message.content, '');
  assert.equal(choiceOf({ content: { role: 'model' }, finishReason: 'MAX_TOKENS' }).finish_reason, 'length');
  assert.equal(choiceOf({ content: { parts: [{ text: 'x' }] } }).finish_reason, 'stop');
  const nothing = translation.fromResponse(Buffer.from(JSON.stringify({ candidates: [], usageMetadata })));
  assert.ok(nothing instanceof GatewayError && nothing.code === 'upstream_protocol');
});

test('a stream that came as a list of its pieces is the whole answer', () => {
  const pieces = [answerOf({ content: { parts: [{ text: 'a' }] } }), answerOf(said({ text: 'b' }))];
  const answer = wholeAnswer(translation, pieces);
  assert.equal(answer.choices[0]?.message.content, 'ab');
});

test('several candidates are choices, each with its own end', () => {
  const { choices } = wholeAnswer(
    translation,
    answerOf(said({ text: 'a' }), { ...said({ text: 'b' }), finishReason: 'MAX_TOKENS' }),
  );
  assert.deepEqual(
    choices.map(({ message, finish_reason: reason }) => [message.content, reason]),
    [
      ['a', 'stop'],
      ['b', 'length'],
    ],
  );
});

test('sources are told once, at the places of the whole text, whichever piece of the stream named them', () => {
  const grounding = (end: number) => ({
    webSearchQueries: ['q'],
    groundingChunks: [{ web: { uri: 'https://a.example', title: 'A' } }],
    groundingSupports: [{ segment: { startIndex: 3, endIndex: end, text: 'zürich' }, groundingChunkIndices: [0] }],
  });
  const piece = (text: string, more: object) => answerOf({ content: { parts: [{ text }] }, ...more });
  const { message } = streamOf(
    piece('In ', { groundingMetadata: {} }),
    piece('zürich', { groundingMetadata: grounding(10), finishReason: 'STOP' }),
    piece('', { groundingMetadata: grounding(10), finishReason: 'STOP' }),
  );
  const citation = { url: 'https://a.example', title: 'A', start_index: 3, end_index: 9 };
  assert.deepEqual(message['annotations'], [{ type: 'url_citation', url_citation: citation }]);
  assert.deepEqual(message['grounding_metadata'], grounding(10));
});

test('a place that is counted within another part is found by its words, or is none', () => {
  const support = (text: string) => ({
    groundingChunks: [{ maps: { uri: 'https://m.example', title: 'M' } }],
    groundingSupports: [{ segment: { partIndex: 1, endIndex: 5, text }, groundingChunkIndices: [0] }],
  });
  const placeOf = (text: string) => {
    const candidate = { ...said({ text: 'First. ' }, { text: 'There' }), groundingMetadata: support(text) };
    const { start_index: start, end_index: end } = choiceOf(candidate).message['annotations'][0].url_citation;
    return [start, end];
  };
  assert.deepEqual(placeOf('There'), [7, 12]);
  assert.deepEqual(placeOf('Nowhere'), [0, 0]);
});

test('a recitation of a model keeps its license, and pages that it read their state', () => {
  const citations = [{ startIndex: 0, endIndex: 1, uri: 'https://a.example', license: 'MIT' }, { license: 'BSD' }];
  const urlContextMetadata = { urlMetadata: [{ retrievedUrl: 'https://a.example', urlRetrievalStatus: 'OK' }] };
  const { message } = choiceOf({ ...said({ text: 'x' }), citationMetadata: { citations }, urlContextMetadata });
  assert.deepEqual(message['citation_metadata'], { citations });
  assert.equal(message['annotations'].length, 1);
  assert.deepEqual(message['url_context_metadata'], urlContextMetadata);
});

test('log probabilities are OpenAI’s, and one that Google leaves out is 0', () => {
  const logprobsResult = {
    chosenCandidates: [{ token: 'a', logProbability: -0.5 }, { token: 'b' }],
    topCandidates: [{ candidates: [{ token: 'a', logProbability: -0.5 }] }, { candidates: [] }],
  };
  assert.deepEqual(choiceOf({ ...said({ text: 'ab' }), logprobsResult }).logprobs?.content, [
    { token: 'a', logprob: -0.5, bytes: [97], top_logprobs: [{ token: 'a', logprob: -0.5, bytes: [97] }] },
    { token: 'b', logprob: 0, bytes: [98], top_logprobs: [] },
  ]);
});

test('usage has the parts of thoughts, cache, audio and images, and tools are part of the prompt', () => {
  const usage = {
    promptTokenCount: 100,
    candidatesTokenCount: 20,
    thoughtsTokenCount: 30,
    toolUsePromptTokenCount: 40,
    cachedContentTokenCount: 10,
    totalTokenCount: 190,
    promptTokensDetails: [
      { modality: 'TEXT', tokenCount: 1 },
      { modality: 'AUDIO', tokenCount: 2 },
      { modality: 'IMAGE', tokenCount: 3 },
      { modality: 'VIDEO', tokenCount: 4 },
    ],
    candidatesTokensDetails: [
      { modality: 'IMAGE', tokenCount: 15 },
      { modality: 'AUDIO', tokenCount: 5 },
    ],
  };
  const told = wholeAnswer(translation, { ...answerOf(said({ text: 'x' })), usageMetadata: usage }).usage;
  assert.deepEqual(told, {
    prompt_tokens: 140,
    completion_tokens: 50,
    total_tokens: 190,
    prompt_tokens_details: { cached_tokens: 10, audio_tokens: 2, image_tokens: 3, video_tokens: 4 },
    completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 5, image_tokens: 15 },
  });
});
