import { accountBase, apiKeyAuth, integrationBase, integrationList } from '../../config/account-schema.ts';
import { baseUrl, keyWithDefault } from '../../config/scalar-schema.ts';
import { GatewayError } from '../../core/errors.ts';
import type { NeutralRequest } from '../../inference/neutral-request.ts';
import type { SpeechFormat, SpeechRequest } from '../../inference/speech.ts';
import type { Credential } from '../credential.ts';
import type { ProviderAccount, ProviderPlug, Translation, WellKnown, Wire } from '../provider.ts';
import { type OneAddress, openAccount } from './account.ts';
import { headerCredential } from './credential.ts';
import { listedModels } from './listed-models.ts';
import { type MountSetup, mountAt } from './mount.ts';
import { providerError } from './provider-error.ts';
import { type ProviderFault, readProviderFault } from './provider-fault.ts';

/** The dialect of a wire of speech makes no other request. */
function isSpeech(request: NeutralRequest): request is SpeechRequest {
  return 'text' in request && 'format' in request;
}

export function noSuchFormat(provider: string, format: SpeechFormat, allowed: readonly string[]): GatewayError {
  return new GatewayError('unsupported_parameter', {
    param: 'response_format',
    detail: `${provider} does not speak ${format}; it has ${allowed.join(', ')}.`,
  });
}

export function nothingFor(provider: string, param: string): GatewayError {
  return new GatewayError('unsupported_parameter', { param, detail: `${provider} has nothing for \`${param}\`.` });
}

/** Bytes pass; whoever asks for events of an answer asks in vain. */
function notRead(): GatewayError {
  return new GatewayError('upstream_protocol', { detail: 'Its answer is no audio.' });
}

/** Where vendors of audio are asked in their own forms. */
export const AUDIO_PATHS: readonly string[] = ['/stt/{account}/{*path}', '/tts/{account}/{*path}'];

export interface SpeechWireSetup {
  readonly name: string;
  /** The path of a request whose translation names none. */
  readonly path: string;
  toRequest(request: SpeechRequest): ReturnType<Translation['toRequest']>;
  /** Reads the answer of a vendor whose audio comes within JSON; absent: its bytes are the audio, and pass. */
  readonly fromResponse?: Translation['fromResponse'];
  /** Default: the shapes that most vendors use. */
  readonly faultIn?: (body: Buffer) => ProviderFault;
}

/** A vendor's own form of speech: JSON is sent, and the audio that comes back passes as it is. */
export function speechWire(setup: SpeechWireSetup): Wire {
  const { name, path, toRequest, fromResponse, faultIn = readProviderFault } = setup;
  return {
    name,
    operation: 'speech',
    framing: 'none',
    method: 'POST',
    contentType: 'application/json',
    accept: fromResponse === undefined ? '*/*' : 'application/json',
    ...(fromResponse === undefined && { media: 'any' as const }),
    forwards: [],
    path: () => path,
    // The gateway counts the characters of the request: these vendors tell no usage in their answer.
    toUsage: () => undefined,
    toError: (status, body, target) => providerError(status, faultIn(body), target),
    translation: {
      toRequest: (request) => (isSpeech(request) ? toRequest(request) : notRead()),
      fromResponse: fromResponse ?? notRead,
    },
  };
}

/** A vendor's well-known variable holds its only key. */
export function keyVariable(type: string, account: string, variable: string): WellKnown {
  return {
    variable,
    account,
    manifest: (key) => ({ type, name: account, auth_data: { type: 'api-key', api_key: key } }),
  };
}

export interface AudioAccountSetup {
  readonly manifest: OneAddress['manifest'] & MountSetup['account'];
  readonly wires: readonly Wire[];
  readonly url: string;
  readonly credential: Credential;
  readonly headers?: readonly string[];
  readonly listed: OneAddress['listed'];
}

/** An account that serves speech and transcripts, and nothing else. */
export function audioAccount({ manifest, listed, wires, ...mount }: AudioAccountSetup): ProviderAccount {
  return openAccount({
    manifest,
    catalogueId: undefined,
    abilities: { usageInStream: false, developerRole: false },
    mounts: wires.map((wire) => mountAt({ ...mount, wire, account: manifest })),
    listed,
  });
}

export interface AudioPlugSetup extends Pick<ProviderPlug, 'passedAt' | 'probe'> {
  /** As it stands behind `provider-account/`. */
  readonly vendor: string;
  /** The well-known variable of its key. */
  readonly variable: string;
  /** Where its API is, unless an account says otherwise. */
  readonly address: string;
  readonly wires: readonly Wire[];
  /** The header that carries the key: name and value. */
  keyHeader(key: string): readonly [string, string];
}

/** A vendor of speech and transcripts whose accounts have an API key, an address and models, and nothing of their own. */
export function audioPlug({ vendor, variable, address, wires, keyHeader, ...more }: AudioPlugSetup): ProviderPlug {
  const type = `provider-account/${vendor}`;
  const schema = accountBase(type).extend({
    auth_data: apiKeyAuth,
    base_url: keyWithDefault(baseUrl(), address),
    integrations: integrationList(integrationBase(`integration/model/${vendor}`)),
  });
  return {
    ...more,
    type,
    schema,
    wellKnown: keyVariable(type, vendor, variable),
    wires,
    open(checked) {
      const manifest = schema.parse(checked);
      return audioAccount({
        manifest,
        wires,
        url: manifest.base_url,
        credential: headerCredential(keyHeader(manifest.auth_data.api_key)),
        listed: listedModels(manifest.integrations),
      });
    },
  };
}
