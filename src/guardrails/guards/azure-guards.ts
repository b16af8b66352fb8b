import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, objectOf, stringOf } from '../../codec/json-value.ts';
import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import { PASSED } from '../guard.ts';
import { failed, found, joined, need, type RemoteRequest, type Service } from './remote-guard.ts';
import { batchesOf, piecesOf, type TextPiece } from './text-pieces.ts';

/** https://learn.microsoft.com/en-us/azure/ai-services/content-safety/overview#input-requirements */
const MAX_SAFETY_CHARACTERS = 10_000;
const MAX_SHIELD_DOCUMENTS = 5;
/** https://learn.microsoft.com/en-us/azure/ai-services/language-service/concepts/data-limits */
const PII_LIMITS = { maxCharacters: 5_120 };
const PII_BATCH = { maxPieces: 5, maxCharacters: 5 * PII_LIMITS.maxCharacters };

function azureHost({ config }: GuardConfig): string {
  return stringOf(config['custom_host']) ?? `https://${String(config['resource_name'])}.cognitiveservices.azure.com`;
}

/** https://learn.microsoft.com/en-us/rest/api/contentsafety/text-operations/analyze-text */
export const azureContentSafety: Service = (config) => {
  const {
    api_version: version,
    blocklist_names: blocklistNames,
    severity_threshold: least,
    categories,
  } = config.config as {
    api_version: string;
    blocklist_names?: readonly string[];
    severity_threshold: number;
    categories: readonly string[];
  };
  const url = `${azureHost(config)}/contentsafety/text:analyze?api-version=${encodeURIComponent(version)}`;
  const request = (text: string): RemoteRequest => ({
    url,
    body: { text, categories, ...(blocklistNames && { blocklistNames }), outputType: 'EightSeverityLevels' },
    read({ categoriesAnalysis: analysis, blocklistsMatch: matches }) {
      if (!isArray(analysis)) throw new Error('its answer has no `categoriesAnalysis`');
      const names = analysis.flatMap((each) => {
        const { category, severity } = need(each, 'categoriesAnalysis');
        return Number(scalarText(severity)) >= least ? [scalarText(category) ?? 'unnamed'] : [];
      });
      if (isArray(matches) && matches.length > 0) names.push('block list');
      return found(names);
    },
  });
  return (question) =>
    piecesOf([joined(question)], { maxCharacters: MAX_SAFETY_CHARACTERS }).map(({ text }) => request(text));
};

/** https://learn.microsoft.com/en-us/rest/api/contentsafety/text-operations/detect-text-jailbreak */
export const azurePromptShield: Service = (config) => {
  const version = encodeURIComponent(String(config.config['api_version']));
  const url = `${azureHost(config)}/contentsafety/text:shieldPrompt?api-version=${version}`;
  const request = (body: { readonly userPrompt?: string; readonly documents?: readonly string[] }): RemoteRequest => ({
    url,
    body,
    read({ userPromptAnalysis: prompt, documentsAnalysis: documents }) {
      if (body.userPrompt !== undefined) need(prompt, 'userPromptAnalysis');
      if (body.documents !== undefined && !isArray(documents)) throw new Error('its answer has no `documentsAnalysis`');
      const analyses = [prompt, ...(isArray(documents) ? documents : [])];
      return analyses.some((each) => isObject(each) && each['attackDetected'] === true)
        ? failed('Found: an attack.')
        : PASSED;
    },
  });
  const limits = { maxCharacters: MAX_SAFETY_CHARACTERS };
  return ({ texts }) => {
    const said = texts.filter(({ role }) => role === undefined || role === 'user').map(({ text }) => text);
    const given = texts.filter(({ role }) => role !== undefined && role !== 'user' && role !== 'system');
    const prompts = piecesOf([said.join('\n')], limits);
    const documents = batchesOf(
      piecesOf(
        given.map(({ text }) => text),
        limits,
      ),
      { ...limits, maxPieces: MAX_SHIELD_DOCUMENTS },
    );
    return Array.from({ length: Math.max(prompts.length, documents.length) }, (_, at) =>
      request({
        ...(prompts[at] && { userPrompt: prompts[at].text }),
        ...(documents[at] && { documents: documents[at].map(({ text }) => text) }),
      }),
    );
  };
};

/** https://learn.microsoft.com/en-us/rest/api/language/text-analysis-runtime/analyze-text */
export const azurePii: Service = (config) => {
  const {
    api_version: version,
    model_version: modelVersion,
    language,
    domain,
    pii_categories: categories,
  } = config.config as {
    api_version: string;
    model_version: string;
    language: string;
    domain: string;
    pii_categories: readonly string[];
  };
  const all = categories.includes('*') || categories.includes('all');
  const url = `${azureHost(config)}/language/:analyze-text?api-version=${encodeURIComponent(version)}`;
  const parameters = {
    modelVersion,
    domain: domain === 'none' ? 'none' : 'phi',
    ...(!all && { piiCategories: categories }),
  };
  const request = (pieces: readonly TextPiece[]): RemoteRequest => ({
    url,
    pieces,
    body: {
      kind: 'PiiEntityRecognition',
      parameters,
      analysisInput: { documents: pieces.map(({ text }, at) => ({ id: String(at), language, text })) },
    },
    read(answer) {
      const { documents, errors } = need(answer['results'], 'results');
      if (!isArray(documents) || (isArray(errors) && errors.length > 0)) throw new Error('it could not read all texts');
      const names = new Set<string>();
      const changed = pieces.map(({ text }) => text);
      for (const each of documents) {
        const { id, redactedText, entities } = need(each, 'documents');
        if (!isArray(entities) || entities.length === 0) continue;
        for (const entity of entities) names.add(scalarText(objectOf(entity)?.['category']) ?? 'unnamed');
        if (typeof redactedText !== 'string') throw new Error('its answer has no `redactedText`');
        changed[Number(scalarText(id))] = redactedText;
      }
      if (names.size === 0) return PASSED;
      return config.operation === 'mutate' ? { result: 'mutated', texts: changed } : found([...names]);
    },
  });
  return ({ texts }) =>
    batchesOf(
      piecesOf(
        texts.map(({ text }) => text),
        PII_LIMITS,
      ),
      PII_BATCH,
    ).map(request);
};
