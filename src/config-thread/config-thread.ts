import { kindsByName } from '../config/kinds/kinds.ts';
import { type LoadedData, loadConfiguration, type Refused } from '../config/load.ts';
import { GatewayError } from '../core/errors.ts';
import { implement, taskRunner } from '../offload/tasks.ts';
import { type ConfigurationQuestion, configurationTask } from '../operator/admin/configuration.ts';
import { type ConfigurationSource, readingTask } from '../operator/configuration-source.ts';
import { accountKinds, wellKnown } from '../plugs.ts';
import { checkFile, listFiles, type ReadableSource, writeFile } from './configuration-files.ts';
import { keysOf } from './configuration-keys.ts';

/*
 * The thread that reads the configuration for a reload, and one that reads, checks and writes its files for the console. A
 * megabyte of YAML takes a second, in which the main thread would answer nobody.
 */

function answerOf({ kind, source, body }: ConfigurationQuestion) {
  const readable = readableOf(source);
  switch (kind) {
    case 'list':
      return listFiles(readable);
    case 'check':
      return checkFile(readable, body);
    case 'write':
      return writeFile(readable, body);
    case 'keys':
      return keysOf(body, [...kindsByName(), ...accountKinds()]);
  }
}

function readableOf({ paths, environment, overrides }: ConfigurationSource): ReadableSource {
  const fixed = { paths, environment, overrides, kinds: accountKinds(), wellKnown: wellKnown() };
  return { paths, load: (texts) => loadConfiguration({ ...fixed, texts }) };
}

/** What crosses threads of it. */
function read(source: ConfigurationSource): LoadedData | Refused {
  const loaded = readableOf(source).load(new Map());
  if ('faults' in loaded) return loaded;
  const { locateAccount: _function, ...data } = loaded;
  return data;
}

/** Errors cross threads by code and context. */
async function answer(question: ConfigurationQuestion) {
  const answered = await answerOf(question);
  return answered instanceof GatewayError ? { code: answered.code, context: answered.context } : answered;
}

export default taskRunner([implement(configurationTask, answer), implement(readingTask, read)]);
