import { isArray, isObject, type JsonObject, objectOf, stringOf } from '../../codec/json-value.ts';
import { PASSED, type Verdict } from '../guard.ts';
import { failed, isOutput, joined, need, type RemoteRequest, type Service } from './remote-guard.ts';
import { piecesOf, type TextPiece } from './text-pieces.ts';

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html */
export const awsBedrock: Service = (config) => {
  const { guardrail_id: id, guardrail_version: version, region } = config.config as Readonly<Record<string, string>>;
  const host = `https://bedrock-runtime.${region}.amazonaws.com`;
  return (question) => ({
    url: `${host}/guardrail/${encodeURIComponent(id!)}/version/${encodeURIComponent(version!)}/apply`,
    body: {
      source: isOutput(question) ? 'OUTPUT' : 'INPUT',
      content: question.texts.map(({ text }) => ({ text: { text } })),
    },
    read({ action, outputs, assessments }) {
      if (action === 'NONE') return PASSED;
      if (action !== 'GUARDRAIL_INTERVENED') throw new Error('its answer has no `action` that is known');
      const told = isArray(outputs) ? outputs.map((each) => stringOf(objectOf(each)?.['text'])) : [];
      const isMasked = isArray(assessments) && !JSON.stringify(assessments).includes('"BLOCKED"');
      if (config.operation !== 'mutate' || !isMasked) return failed('It intervened.');
      if (told.length === question.texts.length && told.every((each) => each !== undefined)) {
        return { result: 'mutated', texts: told };
      }
      return failed('It intervened.');
    },
  });
};

/**
 * Filters skip what has more tokens than they read, and a token may be a character.
 * https://cloud.google.com/model-armor/quotas
 */
const ARMOR_LIMITS = { maxCharacters: 10_000 };

/**
 * https://cloud.google.com/model-armor/reference/rest/v1/projects.locations.templates/sanitizeUserPrompt
 * https://cloud.google.com/model-armor/reference/rest/v1/SanitizationResult
 */
export const modelArmor: Service = (config) => {
  const {
    project_id: project,
    location,
    template_id: template,
    base_url: base,
  } = config.config as Readonly<Record<string, string>>;
  const host = base ?? `https://modelarmor.${location}.rep.googleapis.com`;
  const place = `${host}/v1/projects/${project}/locations/${location}/templates/${template}`;
  const mutates = config.operation === 'mutate';
  return (question) => {
    const [method, field] = isOutput(question)
      ? ['sanitizeModelResponse', 'modelResponseData']
      : ['sanitizeUserPrompt', 'userPromptData'];
    const request = (piece: TextPiece): RemoteRequest => ({
      url: `${place}:${method}`,
      body: { [field]: { text: piece.text } },
      pieces: mutates ? [piece] : [],
      read: (answer) => armorVerdict(need(answer['sanitizationResult'], 'sanitizationResult'), mutates),
    });
    const texts = mutates ? question.texts.map(({ text }) => text) : [joined(question)];
    return piecesOf(texts, ARMOR_LIMITS).map(request);
  };
};

/** What sensitive data protection took out is changed where that is wanted; whatever else matches is refused. */
function armorVerdict(result: JsonObject, mutates: boolean): Verdict {
  const { filterMatchState: state, filterResults: results, invocationResult: invocation } = result;
  if (state !== 'MATCH_FOUND' && state !== 'NO_MATCH_FOUND')
    throw new Error('its answer has no `filterMatchState` that is known');
  const matched = Object.entries(objectOf(results) ?? {}).filter(([, each]) => matches(each));
  const names = matched.map(([name]) => name);
  const instead = mutates && names.every((name) => name === 'sdp') ? deidentified(results) : undefined;
  if (state === 'MATCH_FOUND' && instead === undefined) return failed(`Found: ${names.join(', ')}.`);
  // What no filter has read has not passed.
  if (invocation !== undefined && invocation !== 'SUCCESS') throw new Error('not all of its filters have run');
  return instead === undefined ? PASSED : { result: 'mutated', texts: [instead] };
}

function matches(result: unknown): boolean {
  return JSON.stringify(result).includes('"MATCH_FOUND"');
}

function deidentified(results: unknown): string | undefined {
  const path = ['sdp', 'sdpFilterResult', 'deidentifyResult', 'data', 'text'];
  return stringOf(path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), results));
}
