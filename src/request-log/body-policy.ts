import type { Configuration } from '../config/configuration.ts';
import type { DataRoute, Redaction } from '../config/rules/request-log-rules.ts';

/** What a client wishes. */
export interface LoggingWish {
  readonly enabled: boolean | undefined;
  readonly project: string | undefined;
}

/** How the bodies of an exchange are kept. */
export interface BodyPlan {
  readonly project: string | undefined;
  readonly retentionMs: number;
  readonly redact: readonly Redaction[];
}

/** The caller, as far as rules are about it. */
export interface BodyCaller {
  /** All that it is: `user:…`, `team:…`, `team:everyone`, `*`. */
  readonly subjects: ReadonlySet<string>;
}

export interface BodyRequest {
  readonly caller: BodyCaller;
  readonly subject: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly wish: LoggingWish | undefined;
}

export interface BodyPolicy {
  /** Webhooks want records with the bodies. */
  readonly sendsRecords: boolean;
  /** Undefined: nothing of it is kept. */
  planOf(request: BodyRequest): BodyPlan | undefined;
}

export interface BodyMatchers {
  /** Whether somebody is meant by any of these patterns. */
  compileSubjects(patterns: readonly string[]): (subjects: ReadonlySet<string>) => boolean;
  isNamed(subject: string, names: readonly string[]): boolean;
}

type BodyConfiguration = Pick<
  Configuration,
  'bodyLogging' | 'loggingRules' | 'dataRoutes' | 'tracingProjects' | 'requestLoggers' | 'server'
>;

/** What rules say of one caller. */
interface RuleVerdict {
  readonly bodies: boolean | undefined;
  readonly project: string | undefined;
  readonly redact: readonly Redaction[];
}

const DAY_MS = 86_400_000;

/** Undefined: no request can have its bodies kept. */
export function bodyPolicy(configuration: BodyConfiguration, matchers: BodyMatchers): BodyPolicy | undefined {
  const { bodyLogging, loggingRules, dataRoutes, tracingProjects, server } = configuration;
  const byRule = loggingRules.some(({ bodies }) => bodies === true);
  if ((bodyLogging === undefined || bodyLogging.mode === 'never') && !byRule) return undefined;
  const rules = loggingRules.map((rule) => ({ ...rule, appliesTo: matchers.compileSubjects(rule.subjects ?? ['*']) }));
  const projects = new Map(tracingProjects.map((project) => [project.name, project]));
  const verdicts = new WeakMap<BodyCaller, RuleVerdict>();

  function verdictOn(caller: BodyCaller): RuleVerdict {
    let verdict = verdicts.get(caller);
    if (verdict === undefined) {
      const matching = rules.filter(({ appliesTo }) => appliesTo(caller.subjects));
      const said = matching.map(({ bodies }) => bodies);
      verdict = {
        bodies: said.includes(false) ? false : said.includes(true) ? true : undefined,
        project: matching.find(({ project }) => project !== undefined)?.project,
        redact: matching.flatMap(({ redact }) => redact),
      };
      verdicts.set(caller, verdict);
    }
    return verdict;
  }

  function isWanted({ bodies }: RuleVerdict, wish: LoggingWish | undefined): boolean {
    if (bodies !== undefined) return bodies;
    if (bodyLogging === undefined) return false;
    return bodyLogging.mode === 'header' ? (wish?.enabled ?? bodyLogging.byDefault) : bodyLogging.mode === 'always';
  }

  function routeOf({ subject, metadata }: BodyRequest): DataRoute | undefined {
    return dataRoutes.find(({ when }) =>
      when.every(({ key, values }) =>
        key === undefined
          ? matchers.isNamed(subject, values)
          : Object.hasOwn(metadata, key) && values.includes(metadata[key]!),
      ),
    );
  }

  return {
    sendsRecords: configuration.requestLoggers.length > 0,
    planOf(request) {
      const verdict = verdictOn(request.caller);
      if (!isWanted(verdict, request.wish)) return undefined;
      const project = lastPart(verdict.project ?? request.wish?.project);
      const known = project === undefined ? undefined : projects.get(project);
      const route = routeOf(request);
      // What belongs into a store of another account may not lie here.
      if (known?.isOurs === false || route?.isOurs === false) return undefined;
      const days = known?.retentionDays ?? route?.retentionDays ?? server.requestLog.retentionDays;
      return { project, retentionMs: days * DAY_MS, redact: verdict.redact };
    },
  };
}

/** `tracing-project:tenant/group/name` is the project `name`. */
function lastPart(project: string | undefined): string | undefined {
  return project?.split(/[:/]/).at(-1);
}
