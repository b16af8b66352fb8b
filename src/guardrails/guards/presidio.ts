import { scalarText } from '../../codec/exact-json.ts';
import { isArray, isObject, type JsonObject, stringOf } from '../../codec/json-value.ts';
import { type GuardConfig, isWantedCategory } from '../../config/guardrails/guardrails.ts';
import type { HttpClient } from '../../core/http-client.ts';
import type { GuardQuestion, Verdict } from '../guard.ts';
import { found, type RemoteRequest, remoteCheck } from './remote-guard.ts';

/** The kinds that are left to Presidio, which knows names and places, by the categories of the reference product. */
const ENTITIES: Readonly<Record<string, string>> = {
  Person: 'PERSON',
  Organization: 'ORGANIZATION',
  Address: 'LOCATION',
};

interface Span {
  readonly start: number;
  readonly end: number;
  readonly category: string;
}

/**
 * Names and places of `tfy-pii`, by an analyzer of Presidio. Undefined: none of its categories is wanted.
 * https://microsoft.github.io/presidio/api-docs/api-docs.html
 */
export function presidioCheck(
  config: GuardConfig,
  http: HttpClient,
  url: string,
): ReturnType<typeof remoteCheck> | undefined {
  const {
    pii_categories: wanted,
    presidio_language: language = 'en',
    presidio_min_score: minScore = 0.5,
    redaction_text: redaction,
    pseudonyms,
  } = config.config as {
    pii_categories: readonly string[];
    presidio_language?: string;
    presidio_min_score?: number;
    redaction_text?: string;
    pseudonyms?: boolean;
  };
  const categories = Object.keys(ENTITIES).filter((each) => isWantedCategory(wanted, each));
  if (categories.length === 0) return undefined;
  const entities = categories.map((each) => ENTITIES[each]!);
  const request = (question: GuardQuestion): RemoteRequest => {
    const texts = question.texts.map(({ text }) => text);
    return {
      url: `${url}/analyze`,
      body: { text: texts, language, entities, score_threshold: minScore },
      readList(answer) {
        if (answer.length !== texts.length) throw new Error('it answered about other texts than were asked');
        const spans = answer.map((each, at) => spansOf(each, texts[at]!));
        const names = new Set(spans.flatMap((each) => each.map(({ category }) => category)));
        if (config.operation !== 'mutate' || names.size === 0) return found([...names]);
        const insteadOf = (category: string, value: string): string =>
          pseudonyms === true
            ? (question.pseudonyms?.placeholder(category, value) ?? `[${category}]`)
            : (redaction ?? `[${category}]`);
        const changed = texts.map((text, at) => replacedSpans(text, spans[at]!, insteadOf));
        return { result: 'mutated', texts: changed } satisfies Verdict;
      },
    };
  };
  // Placeholders are of one exchange, so that its answers are not those of another.
  const { remember: _, ...plain } = config;
  return remoteCheck(pseudonyms === true ? plain : config, http, { request });
}

/** In order, not overlapping. Presidio counts code points. */
function spansOf(answer: unknown, text: string): Span[] {
  if (!isArray(answer)) throw new Error('its answer is no list of lists');
  const units = unitOffsets(text);
  const read = answer.map((each) => spanOf(each, units)).sort((a, b) => a.start - b.start || b.end - a.end);
  const kept: Span[] = [];
  for (const span of read) if (span.start >= (kept.at(-1)?.end ?? 0)) kept.push(span);
  return kept;
}

function spanOf(answer: unknown, units: readonly number[]): Span {
  const { entity_type: type, start, end }: JsonObject = isObject(answer) ? answer : {};
  const category = Object.keys(ENTITIES).find((each) => ENTITIES[each] === stringOf(type));
  const from = units[Number(scalarText(start))];
  const to = units[Number(scalarText(end))];
  if (category === undefined || from === undefined || to === undefined || to <= from)
    throw new Error('its answer names no place in the text');
  return { start: from, end: to, category };
}

/** Where each code point begins, and where the last one ends, in UTF-16 units. */
function unitOffsets(text: string): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const character of text) {
    offsets.push(at);
    at += character.length;
  }
  offsets.push(at);
  return offsets;
}

function replacedSpans(
  text: string,
  spans: readonly Span[],
  insteadOf: (category: string, value: string) => string,
): string {
  let made = '';
  let from = 0;
  for (const { start, end, category } of spans) {
    made += text.slice(from, start) + insteadOf(category, text.slice(start, end));
    from = end;
  }
  return made + text.slice(from);
}
