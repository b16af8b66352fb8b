import type { GuardConfig } from '../../config/guardrails/guardrails.ts';
import type { Guard } from '../guard.ts';
import { type Recogniser, recogniser } from '../scan/recogniser.ts';

/*
 * Words and phrases that often mean what is looked for. They find what is said plainly, in English, and nothing that is
 * hidden on purpose: docs/guardrails.md says so.
 */

type Phrases = Readonly<Record<string, readonly string[]>>;

/** What code does that a model should not hand to anybody unseen. */
const UNSAFE_CODE: Phrases = {
  'evaluation of text': [
    '\\beval ?\\(',
    '\\bexec ?\\(',
    '\\bnew Function ?\\(',
    '\\bFunction ?\\(["\'`]',
    '\\bcompile ?\\([^)\\n]{0,200}["\']exec["\']',
  ],
  'a command of the system': [
    '\\bos\\.(?:system|popen|exec[lv]?[pe]{0,2}|spawn[lv]?[pe]{0,2}) ?\\(',
    '\\bsubprocess\\.(?:run|call|Popen|check_output|check_call)\\([^)\\n]{0,300}shell ?= ?True',
    '\\bchild_process\\b',
    '\\bexecSync ?\\(',
    '\\bspawnSync ?\\(',
    '\\bRuntime\\.getRuntime\\(\\)\\.exec\\b',
    '\\bProcessBuilder ?\\(',
    '\\bshell_exec ?\\(',
    '\\bpassthru ?\\(',
    '\\bsystem ?\\(["\'$]',
  ],
  'deletion of all': [
    '\\brm +-(?:[a-zA-Z]*r[a-zA-Z]*f|[a-zA-Z]*f[a-zA-Z]*r)[a-zA-Z]* +(?:--no-preserve-root +)?[/~*$.]',
    '\\bmkfs\\.[a-z0-9]{2,8}\\b',
    '\\bdd +if=[^\\s]{1,100} +of=/dev/',
    '\\bshutil\\.rmtree ?\\(["\']/',
    '\\bformat +[cC]:',
    ':\\(\\) ?\\{ ?:\\|:& ?\\};:',
    '>\\s{0,3}/dev/sd[a-z]\\b',
  ],
  'code from elsewhere': [
    '\\b(?:curl|wget)\\b[^\\n|]{1,300}\\| ?(?:sudo +)?(?:ba|z|da)?sh\\b',
    '\\bInvoke-Expression\\b',
    '\\bIEX ?\\(',
    '\\bDownloadString ?\\(',
  ],
  'unsafe deserialization': [
    '\\b(?:c?[pP]ickle|dill|shelve|marshal)\\.loads? ?\\(',
    '\\byaml\\.(?:unsafe_)?load ?\\([^)\\n]{0,200}Loader ?= ?(?:yaml\\.)?(?:Unsafe)?Loader',
    '\\byaml\\.unsafe_load ?\\(',
    '\\bObjectInputStream ?\\(',
    '\\bunserialize ?\\(',
  ],
  'rights for everybody': ['\\bchmod +(?:-R +)?0?777\\b', '\\bsetuid ?\\( ?0 ?\\)'],
  'checks that are turned off': [
    '\\bverify ?= ?False\\b',
    '\\bNODE_TLS_REJECT_UNAUTHORIZED\\b',
    '\\brejectUnauthorized ?: ?false\\b',
    '\\bInsecureSkipVerify ?: ?true\\b',
  ],
};

/** How somebody tries to make a model forget whom it serves. */
const INJECTION: Phrases = {
  'orders that are to be forgotten': [
    '\\b(?:ignore|disregard|forget|override|bypass|skip)\\b.{0,30}\\b(?:all|any|the|your|my|previous|prior|above|earlier|preceding|system|original)\\b.{0,30}\\b(?:instructions?|prompts?|rules?|guidelines?|directions?|context|constraints?|polic(?:y|ies))\\b',
    '\\bdo not (?:follow|obey)\\b.{0,30}\\b(?:instructions?|rules?|guidelines?)\\b',
    '\\bnew (?:system )?instructions? ?:',
  ],
  'another role': [
    '\\byou are (?:now|no longer)\\b.{0,40}\\b(?:DAN|jailbroken|unrestricted|unfiltered|uncensored|evil|bound|restricted|an? AI)\\b',
    '\\b(?:act|pretend|behave|respond)\\b.{0,20}\\bas (?:if|though|an?)\\b.{0,40}\\b(?:no|without(?: any)?|unrestricted|unfiltered)\\b.{0,20}\\b(?:restrictions?|rules?|limits?|filters?|guidelines?|ethics)\\b',
    '\\bdo anything now\\b',
    '\\bdeveloper mode\\b.{0,20}\\b(?:enabled?|on|activated?)\\b',
    '\\bjail ?break(?:ing)? (?:mode|prompt)\\b',
    '\\bgod mode\\b',
    '\\bno (?:ethical|moral|safety) (?:guidelines|restrictions|limits)\\b',
  ],
  'what is to stay hidden': [
    '\\b(?:reveal|show|print|repeat|output|display|leak|tell me|give me|what (?:is|are|were))\\b.{0,30}\\b(?:your|the)\\b.{0,20}\\b(?:system|hidden|secret|initial|original|internal)\\b.{0,15}\\b(?:prompts?|instructions?|messages?|rules?)\\b',
    '\\brepeat (?:everything|all|the (?:words|text)) (?:above|before)\\b',
  ],
  'marks of a conversation': [
    '<\\|(?:im_start|im_end|system|endoftext|start_header_id)\\|>',
    '\\[/?INST\\]',
    '<</?SYS>>',
    '(?:^|\\n) ?#{2,3} ?(?:system|instruction)s? ?:?(?:\\n|$)',
  ],
};

type HarmCategory = 'Hate' | 'SelfHarm' | 'Sexual' | 'Violence';

/** By category and severity, on the scale of 0 to 6 that the reference product has. */
const HARMS: Readonly<Record<HarmCategory, readonly (readonly [severity: number, phrases: readonly string[]])[]>> = {
  Hate: [
    [
      2,
      [
        '\\b(?:racist|sexist|homophobic|xenophobic|bigot(?:ed|s)?)\\b',
        '\\bi hate (?:all )?(?:women|men|immigrants|foreigners|gays?|jews|muslims|christians|blacks|whites|asians)\\b',
      ],
    ],
    [
      4,
      [
        '\\b(?:white|aryan) (?:power|supremacy|supremacists?)\\b',
        '\\b(?:heil hitler|sieg heil)\\b',
        '\\b(?:sub-?human|vermin|inferior) (?:race|people)\\b',
        '\\bgo back to your (?:own )?country\\b',
      ],
    ],
    [
      6,
      [
        '\\b(?:exterminate|gas|kill|lynch) (?:all )?(?:the )?(?:jews|muslims|christians|blacks|whites|asians|gays|immigrants)\\b',
        '\\bethnic cleansing is (?:good|right|needed)\\b',
      ],
    ],
  ],
  SelfHarm: [
    [2, ['\\b(?:self[ -]harm|suicidal|suicide)\\b']],
    [
      4,
      [
        '\\bi (?:want|wish|would like) to (?:die|be dead|disappear forever)\\b',
        '\\b(?:cut|cutting|hurt|hurting) myself\\b',
        "\\bi don'?t want to live\\b",
      ],
    ],
    [
      6,
      [
        '\\b(?:kill|killing|hang|hanging|shoot) myself\\b',
        '\\bend (?:my|your) (?:own )?life\\b',
        '\\bkill yourself\\b',
        '\\bhow (?:do i|to|can i) (?:commit suicide|overdose)\\b',
        '\\b(?:painless|easiest|best) (?:way|method) to (?:die|kill)\\b',
      ],
    ],
  ],
  Sexual: [
    [2, ['\\b(?:porn(?:ography|ographic)?|erotic(?:a)?|nudes?|nsfw|xxx)\\b']],
    [
      4,
      [
        '\\b(?:blow ?jobs?|hand ?jobs?|orgasms?|masturbat(?:e|es|ed|ing|ion)|dildos?|cum ?shots?|gang ?bangs?)\\b',
        '\\bhave sex with (?:me|you|her|him)\\b',
      ],
    ],
    [
      6,
      [
        '\\b(?:rape|raping|raped) (?:her|him|me|you|them)\\b',
        '\\b(?:child|kiddie|underage|minor) (?:porn|sex|erotica|nudes?)\\b',
        '\\bincest (?:porn|story)\\b',
        '\\bbestiality\\b',
      ],
    ],
  ],
  Violence: [
    [2, ['\\b(?:murder(?:ed|er|ers)?|assault(?:ed)?|stab(?:bed|bing)?|massacres?|torture[ds]?)\\b']],
    [
      4,
      [
        "\\bi(?:'|’)?(?:ll| will| want to| am going to|m going to) (?:kill|hurt|shoot|stab|beat|murder|strangle)\\b",
        '\\b(?:kill|shoot|stab|behead|strangle|murder) (?:you|him|her|them|everyone|people)\\b',
      ],
    ],
    [
      6,
      [
        '\\bhow (?:do i|to|can i) (?:make|build) (?:an? )?(?:pipe )?(?:bomb|explosive|nail bomb|molotov)s?\\b',
        '\\b(?:school|mass) shooting plan\\b',
        '\\bhow (?:do i|to|can i) (?:kill|poison|murder|strangle) (?:someone|a person|my|him|her|people)\\b',
      ],
    ],
  ],
};

export function codeSafetyGuard(config: GuardConfig): Guard {
  return ofPhrases(config, UNSAFE_CODE, false);
}

export function promptInjectionGuard(config: GuardConfig): Guard {
  return ofPhrases(config, INJECTION, true);
}

export function moderationGuard(config: GuardConfig): Guard {
  const { severity_threshold: least, categories } = config.config as {
    severity_threshold: number;
    categories: readonly HarmCategory[];
  };
  const wanted = categories.map((category): [string, readonly string[]] => [
    category,
    HARMS[category].flatMap(([severity, phrases]) => (severity >= least ? phrases : [])),
  ]);
  return ofPhrases(config, Object.fromEntries(wanted), true);
}

function ofPhrases(config: GuardConfig, phrases: Phrases, ignoreCase: boolean): Guard {
  const guard: { config: GuardConfig; recognisers: readonly Recogniser[] } = { config, recognisers: [] };
  guard.recognisers = Object.entries(phrases).flatMap(([name, list]) =>
    list.length === 0
      ? []
      : recogniser(name, list.map((each) => `(?:${each})`).join('|'), {
          ignoreCase,
          owner: guard,
          maxCharacters: MAX_PHRASE,
        }),
  );
  return guard;
}

const MAX_PHRASE = 512;
