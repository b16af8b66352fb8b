import { type Imported, textOf } from './imported.ts';

/** Other gateways name a variable as `os.environ/NAME`, `env.NAME` or `${NAME}`. */
const OURS = /^\$\{(?:env|file):[^}]+\}$/;
const REFERENCE = /^(?:os\.environ\/|env\.)(\w+)$|^\$\{(\w+)\}$/;

/** Secrets become references to variables: none is written into the new file, nor told. */
export class Secrets {
  readonly #imported: Imported;
  /** The variable of each secret that stood in the file. */
  readonly #variables = new Map<string, string>();
  /** Variables that the file names, or that a secret of it was given: another secret must not get one of them. */
  readonly #taken: Set<string>;

  constructor(source: unknown, imported: Imported) {
    this.#imported = imported;
    this.#taken = new Set(namesIn(source));
  }

  /** `variable`: what its variable is called where the file has the secret itself; where it has none, undefined. */
  reference(value: unknown, path: string, variable: string): string | undefined {
    const secret = textOf(value);
    if (secret === undefined) return undefined;
    if (OURS.test(secret)) return secret;
    const referred = REFERENCE.exec(secret);
    if (referred) return variableOf(referred[1] ?? referred[2] ?? '');
    const known = this.#variables.get(secret);
    if (known !== undefined) return variableOf(known);
    let name = variable;
    for (let count = 2; this.#taken.has(name); count += 1) name = `${variable}_${count}`;
    this.#taken.add(name);
    this.#variables.set(secret, name);
    this.#imported.note(path, `stands in the file itself, which the new one does not repeat: set ${name} to it`);
    return variableOf(name);
  }

  /** The same of what is no secret: an address, say, stays as it is written. */
  plain(value: unknown): string | undefined {
    const text = textOf(value);
    const referred = text === undefined ? null : REFERENCE.exec(text);
    return referred ? variableOf(referred[1] ?? referred[2] ?? '') : text;
  }
}

/** The variables that a configuration refers to anywhere. */
function* namesIn(value: unknown): Generator<string> {
  if (typeof value === 'string') {
    const referred = REFERENCE.exec(value);
    if (referred) yield referred[1] ?? referred[2] ?? '';
  } else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) yield* namesIn(each);
  }
}

export function variableOf(name: string): string {
  return `\${env:${name}}`;
}
