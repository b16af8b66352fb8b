import type { RegexPreset } from '../../config/guardrails/regex-preset-names.ts';
import type { Recogniser } from '../scan/recogniser.ts';
import { recogniser } from '../scan/recogniser.ts';
import { isIpv6, luhn } from './checksums.ts';

interface Preset {
  readonly pattern: string;
  readonly maxCharacters?: number;
  readonly ignoreCase?: true;
  accepts?(match: string): boolean;
}

/** Words that stand alone, in any case and with a plural; each with its own breadth of what may stand between. */
function words(...list: readonly string[]): Preset {
  return { pattern: `\\b(?:${list.join('|')})\\b`, ignoreCase: true };
}

/** A card number of a form, with the spaces or dashes that people write; its check digit holds. */
function card(pattern: string): Preset {
  return { pattern: `\\b${pattern}\\b`, accepts: luhn };
}

/** Passport numbers are letters and digits as much else is: the word has to stand in front. */
function passport(number: string): Preset {
  return {
    pattern: `\\b(?:passport|passeport|reisepass|paspoort|pasaporte|旅券|护照)[^0-9A-Za-z]{0,8}(?:no\\.?|number|num|nr\\.?|numéro|nummer|#)?[^0-9A-Za-z]{0,6}${number}\\b`,
    ignoreCase: true,
  };
}

const D = '[ -]?';

/** The names are the reference product's; what they find is ours, and docs/guardrails.md says it. */
const PRESETS = {
  us_ssn: { pattern: '\\b\\d{3}-\\d{2}-\\d{4}\\b', accepts: isSsn },
  us_ssn_no_dash: { pattern: '\\b\\d{9}\\b', accepts: isSsn },
  email: { pattern: '\\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+\\b', maxCharacters: 320 },
  us_phone: { pattern: '(?:\\+1[ .-]?)?(?:\\(\\d{3}\\) ?|\\b\\d{3}[ .-])\\d{3}[ .-]\\d{4}\\b|\\+1\\d{10}\\b' },
  visa: card(`4\\d{3}(?:${D}\\d{4}){2}${D}\\d{1,4}(?:${D}\\d{3})?`),
  mastercard: card(`(?:5[1-5]\\d{2}|222[1-9]|22[3-9]\\d|2[3-6]\\d{2}|27[01]\\d|2720)(?:${D}\\d{4}){3}`),
  amex: card(`3[47]\\d{2}${D}\\d{6}${D}\\d{5}`),
  discover: card(`(?:6011|65\\d{2}|64[4-9]\\d)(?:${D}\\d{4}){3}`),
  credit_card: card(`(?:\\d${D}){12,18}\\d`),
  aws_access_key: { pattern: '\\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA|APKA)[A-Z0-9]{16}\\b' },
  aws_secret_key: {
    pattern: '\\baws.{0,20}?(?:secret|key).{0,20}?[=:"\' ]\\s{0,3}["\']?[A-Za-z0-9/+]{40}(?:[^A-Za-z0-9/+=]|$)',
    ignoreCase: true,
  },
  github_token: { pattern: '\\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,251})\\b' },
  slack_token: { pattern: '\\bxox[abeoprs]-[A-Za-z0-9-]{10,250}|\\bxapp-\\d-[A-Za-z0-9-]{10,250}' },
  generic_api_key: {
    pattern:
      '\\b(?:api|access|auth|secret|client|private)[_ -]?(?:api[_ -]?)?(?:key|token|secret)["\']?\\s{0,3}(?:[:=]|is)\\s{0,3}["\']?[A-Za-z0-9_./+=-]{16,128}|\\bsk-[A-Za-z0-9_-]{20,200}',
    ignoreCase: true,
  },
  ipv4: {
    pattern: '\\b(?:(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)\\b',
  },
  ipv6: { pattern: '(?:\\b[0-9A-Fa-f]{1,4}|:):[0-9A-Fa-f:.]{1,43}', accepts: isIpv6 },
  url: { pattern: '\\b(?:https?|ftp)://[^\\s<>"\'`]+', ignoreCase: true, maxCharacters: 2_048 },
  passport_us: passport('[A-Z]?\\d{8,9}'),
  passport_uk: passport('\\d{9}'),
  passport_germany: passport('[CFGHJKLMNPRTVWXYZ0-9]{9,10}'),
  passport_france: passport('\\d{2}[A-Z]{2}\\d{5}'),
  passport_netherlands: passport('[A-NP-Z]{2}[A-NP-Z0-9]{6}\\d'),
  passport_canada: passport('[A-Z]{2}\\d{6}'),
  passport_india: passport('[A-Z]\\d{7}'),
  passport_australia: passport('[A-Z]{1,2}\\d{7}'),
  passport_china: passport('[A-Z]{1,2}\\d{7,8}'),
  passport_japan: passport('[A-Z]{2}\\d{7}'),
  gender_sexual_orientation: words(
    'gay',
    'lesbian',
    'bisexual',
    'homosexual',
    'heterosexual',
    'transgender',
    'transsexual',
    'non-?binary',
    'queer',
    'asexual',
    'pansexual',
    'intersex',
    'cisgender',
    'sexual orientation',
    'gender identity',
    'lgbtq?i?a?\\+?',
  ),
  race_ethnicity_national_origin: words(
    'race',
    'racial',
    'ethnicity',
    'ethnic',
    'national origin',
    'caucasian',
    'african[ -]american',
    'hispanic',
    'latin[oax]',
    'asian[ -]american',
    'native american',
    'indigenous',
    'biracial',
    'multiracial',
  ),
  religion: words(
    'christian',
    'christianity',
    'catholic',
    'protestant',
    'muslim',
    'islam',
    'islamic',
    'jewish',
    'judaism',
    'hindu',
    'hinduism',
    'buddhist',
    'buddhism',
    'sikh',
    'atheist',
    'agnostic',
    'mormon',
    'religion',
    'religious belief',
  ),
  age_discrimination: words(
    'too old',
    'too young',
    'elderly',
    'senior citizen',
    'age discrimination',
    'ageism',
    'over \\d{2} years old',
    'under \\d{2} years old',
    'young people only',
    'no older (?:applicants|people)',
  ),
  disability: words(
    'disability',
    'disabilities',
    'disabled',
    'handicapped',
    'wheelchair',
    'deaf',
    'blind',
    'autism',
    'autistic',
    'mental illness',
    'mentally ill',
    'paraplegic',
    'quadriplegic',
    'bipolar disorder',
    'schizophreni[ac]',
  ),
  marital_family_status: words(
    'married',
    'divorced',
    'widow(?:ed|er)?',
    'marital status',
    'single (?:mother|father|parent)',
    'pregnant',
    'pregnancy',
    'family status',
    'childless',
    'unmarried',
  ),
  military_status: words(
    'veteran',
    'military service',
    'military status',
    'armed forces',
    'active duty',
    'national guard',
    'army reserve',
    'dishonou?rabl[ey] discharged?',
  ),
  public_assistance: words(
    'welfare',
    'food stamps',
    'medicaid',
    'public assistance',
    'section 8',
    'housing voucher',
    'unemployment benefits?',
    'public housing',
    'snap benefits?',
  ),
  weapons_firearms: words(
    'guns?',
    'firearms?',
    'rifles?',
    'pistols?',
    'shotguns?',
    'handguns?',
    'revolvers?',
    'ammunition',
    'ammo',
    'ar-?15',
    'ak-?47',
    'assault weapons?',
    'silencers?',
    'ghost guns?',
  ),
  weapons_other: words(
    'machetes?',
    'switchblades?',
    'brass knuckles',
    'crossbows?',
    'tasers?',
    'nunchucks?',
    'throwing stars?',
    'nerve agents?',
    'chemical weapons?',
    'biological weapons?',
    'sarin',
    'ricin',
  ),
  explosives: words(
    'explosives?',
    'bombs?',
    'dynamite',
    'grenades?',
    'tnt',
    'c-?4',
    'semtex',
    'detonators?',
    'pipe bombs?',
    'molotov cocktails?',
    'land ?mines?',
    'anfo',
    'tatp',
    'ied',
  ),
  violence_threats: words(
    'kill (?:you|him|her|them)',
    'murder',
    "i(?:'|’)?(?:ll| will) (?:kill|hurt|shoot|stab) (?:you|him|her|them)",
    'shoot (?:you|him|her|them|up)',
    'stab (?:you|him|her|them)',
    'beat (?:you|him|her|them) up',
    'death threats?',
    'massacre',
    'assassinat(?:e|ion)',
  ),
  terrorism: words(
    'terroris(?:m|t|ts)',
    'jihad(?:ist)?',
    'isis',
    'al[ -]?qaeda',
    'suicide bomb(?:er|ing)?',
    'hijack(?:ing)?',
    'extremis(?:m|t|ts)',
    'radicali[sz]ation',
  ),
  self_harm_suicide: words(
    'suicide',
    'suicidal',
    'self[ -]harm',
    'kill myself',
    'end my life',
    'cut(?:ting)? myself',
    'want to die',
    'overdose',
    'hang myself',
  ),
  illegal_activities: words(
    'cocaine',
    'heroin',
    'meth(?:amphetamine)?',
    'money laundering',
    'human trafficking',
    'drug (?:dealing|dealer|trafficking)',
    'counterfeit(?:ing)?',
    'identity theft',
    'tax evasion',
    'smuggling',
    'fentanyl',
    'credit card fraud',
    'hitman',
  ),
  harassment_hate: words(
    'harass(?:ment|ing)?',
    'stalk(?:ing|er)',
    'bully(?:ing)?',
    'hate speech',
    'racist',
    'sexist',
    'homophobic',
    'white supremac(?:y|ist)',
    'neo-?nazi',
    'slurs?',
    'go kill yourself',
    'kys',
  ),
} satisfies Record<RegexPreset, Preset>;

const BY_NAME: ReadonlyMap<string, Preset> = new Map(Object.entries(PRESETS));

export const PRESET_NAMES: readonly string[] = [...BY_NAME.keys()];

/** Undefined: there is none of this name. */
export function presetRecogniser(
  name: string,
  about: Pick<Recogniser, 'owner' | 'replacement'>,
): Recogniser | undefined {
  const preset = BY_NAME.get(name);
  if (preset === undefined) return undefined;
  const { pattern, ...rest } = preset;
  return recogniser(name, pattern, { ...rest, ...about });
}

/** Areas 000, 666 and 900 to 999, and zeros in any part, were never given out. */
function isSsn(match: string): boolean {
  const digits = match.replaceAll('-', '');
  const area = digits.slice(0, 3);
  return area !== '000' && area !== '666' && area < '900' && digits.slice(3, 5) !== '00' && digits.slice(5) !== '0000';
}
