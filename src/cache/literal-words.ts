/*
 * Words that turn a question into another one though its vector hardly moves. A word that is here by mistake costs a hit;
 * one that is missing may serve a wrong answer.
 */

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}

/** Negations, and words with an opposite that stands in the same places. */
export const POLAR_WORDS = words(`
  not no never none nothing nobody nowhere neither nor without except excluding exclude cannot cant dont doesnt didnt isnt
  arent wasnt wont wouldnt shouldnt couldnt havent hasnt unless lack lacking avoid stop
  on off enable disable enabled disabled enabling disabling activate deactivate allow deny allowed denied permit forbid
  grant revoke accept reject include open close opened closed lock unlock start begin end finish increase decrease raise
  lower reduce more less most least fewer max min maximum minimum highest lowest best worst good bad better worse before
  after above below over under up down left right in out inside outside buy sell import export upload download add remove
  delete create destroy insert insertion install uninstall connect disconnect login logout encrypt decrypt encode decode
  compress expand push pull read write send receive win lose true false yes always sometimes positive negative hot cold
  new old first last next previous earliest latest oldest newest male female man woman child adult pro con pros cons
  for against with advantage disadvantage advantages disadvantages benefit risk benefits risks safe unsafe legal illegal
  nicht kein keine keinen keiner keines keinem nie niemals nichts niemand nirgends ohne weder noch außer an aus ein vor nach
  mehr weniger oben unten erlauben verbieten aktivieren deaktivieren kaufen verkaufen
  ne pas non jamais rien personne aucun aucune sans ni sauf plus moins avant après acheter vendre activer désactiver
  nunca nada nadie ningún ninguna sin ni tampoco excepto más menos antes después comprar vender activar desactivar
  mai niente nessuno senza né tranne più meno prima dopo
  não nem nenhum nenhuma sem exceto mais menos antes depois
  niet geen nooit niets niemand zonder behalve meer minder voor na
  не нет ни никогда ничего никто без кроме больше меньше до после
  nie nigdy nic nikt bez oprócz inte ingen aldrig utan ikke ingen aldri uden değil yok hiç asla
  لا ليس لم لن بدون غير לא אין בלי नहीं मत बिना
`);

/** Negations of scripts that write no spaces. */
export const UNSPACED_NEGATION = /[不没沒未无無别別非勿莫]|ない|なく|なし|ません|ずに|않|못|없|아니|ไม่|ห้าม/gu;

/** Words that begin so mostly deny what follows. */
export const NEGATED = /^(?:un(?!der|i|til)|dis|non|anti|il|ir|im)\p{L}{4,}$/u;

export const NUMBER_WORDS = words(`
  zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
  nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion half quarter
  third double triple twice thrice once dozen second fourth fifth sixth seventh eighth ninth tenth both all every each
  today tomorrow yesterday tonight now daily weekly monthly yearly annual hourly day week month year hour minute
  monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
  october november december spring summer autumn winter morning evening night
  null zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig hundert tausend halb doppelt heute morgen gestern
  deux trois quatre cinq sept huit neuf dix onze douze vingt cent mille demi double hier demain aujourd'hui
  dos tres cuatro cinco seis siete ocho nueve diez once doce veinte cien mil medio doble hoy mañana ayer
  due tre quattro cinque sei sette otto nove dieci dodici venti cento oggi domani ieri
  dois duas três quatro sete oito nove dez doze vinte cem hoje amanhã ontem
  twee drie vijf zes zeven acht negen tien twaalf honderd vandaag gisteren
  два три четыре пять шесть семь восемь девять десять сто тысяча сегодня завтра вчера
`);

/** Languages of people and of machines. */
export const LANGUAGE_WORDS = words(`
  english french german spanish italian portuguese dutch russian polish swedish norwegian danish finnish turkish greek
  arabic hebrew hindi bengali urdu tamil telugu thai vietnamese indonesian malay japanese korean chinese mandarin
  cantonese latin ukrainian czech slovak hungarian romanian bulgarian croatian serbian persian farsi swahili catalan
  englisch deutsch französisch spanisch italienisch portugiesisch russisch japanisch chinesisch türkisch polnisch
  anglais français allemand espagnol italien portugais russe japonais chinois arabe
  inglés francés alemán español italiano portugués ruso japonés chino árabe inglês francês alemão espanhol russo
  inglese francese tedesco spagnolo engels frans duits spaans английский немецкий французский испанский русский
  python javascript typescript java kotlin scala rust go golang ruby php perl swift haskell elixir erlang clojure lua
  julia dart r c fortran cobol sql mysql postgresql sqlite bash zsh powershell html css json yaml xml csv toml markdown
  react vue angular svelte django flask rails spring node deno bun linux windows macos android ios
`);

/** Words that begin sentences of many: with a capital letter they name nothing. */
export const OPENERS = words(`
  i i'm i'd i've i'll what what's how how's when where where's who who's whom whose why which can could should would will
  shall may might must is are am was were do does did has have had please tell explain describe give show list write
  make find help name define summarize summarise compare translate the a an this that these those my your our his her its
  their it he she we they you there here if in on at for to from of with and or but so as by about let i've hello hi hey
  thanks thank ok okay let's provide suggest recommend calculate convert solve answer say talk discuss outline briefly
  was wie wann wo wer wen wem warum welche welcher welches wieso kann können könnte ist sind bitte erkläre nenne schreibe
  gib zeig die der das ein eine ich wir sie es mein meine und oder aber wenn
  que quel quelle quels quelles qui quoi comment quand où pourquoi combien est sont peux peut pouvez le la les un une des
  je il elle nous vous ils mon ma mes et ou mais si donne dis explique
  qué cuál cuáles quién cómo cuándo dónde por cuánto es son puede puedes el los las una yo mi mis y o pero explica dime
  che cosa chi come quando dove perché quale quali può puoi il lo gli io mio o quem onde como quanto qual quais pode
  wat wanneer waar waarom welke kan kun het een ik mijn en of maar
  что как когда где кто почему какой какая какие можно ли я мы вы он она это и или но если расскажи объясни
`);

/** Frequent words of a language that others have not, or seldom. */
export const FREQUENT_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    en: 'the is are of and to what how does do you can my with for this that it where when who why',
    de: 'der das ist und wie wer ich nicht mit für auf den dem des ein eine wann wo warum kann mein sind wird',
    fr: 'le les est et que quelle quel comment je une des du pour dans où pourquoi mon ma sont avec sur au',
    es: 'el los es y cómo cuál qué una por para dónde mi son con del las puedo cuándo hay',
    it: 'il lo gli è come quale che sono della per dove mio con di nel perché cosa posso',
    pt: 'o os é e como qual uma você não por para onde meu são com do da em quando posso',
    nl: 'het een en hoe wat ik niet met voor op van waar mijn zijn kan wordt is de',
    pl: 'jest jak co nie się na do w z gdzie kiedy jaki mój są czy',
    sv: 'är och hur vad jag inte med för på var min som kan ett',
    da: 'er og hvordan hvad jeg ikke med for på hvor min som kan et',
    tr: 'ne nasıl bir ve mi mı için nerede benim bu var ile',
    id: 'apa bagaimana yang dan di untuk saya ini dengan adalah',
    ru: 'что как в и не на где мой это для когда кто',
    uk: 'що як і не на де мій це для коли хто та',
  }).flatMap(([language, text]) => text.split(' ').map((word): [string, string] => [`${language} ${word}`, language])),
);

export const LANGUAGES = [...new Set(FREQUENT_WORDS.values())];
