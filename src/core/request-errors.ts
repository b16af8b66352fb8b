import { clientFault, type ErrorRule, gatewayFault, policyRefusal } from './error-rule.ts';

/** Faults of a request's contents and of the names in it: stages 2 and 4. */
export const REQUEST_ERRORS = {
  invalid_json: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'The request body is not valid JSON.',
    remedy: 'Send one JSON object.',
  }),
  invalid_multipart: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'The request body is not a valid multipart form.',
    remedy: 'Send `multipart/form-data` with its boundary, as HTTP libraries make it.',
  }),
  invalid_file: clientFault({
    status: 400,
    stage: 'edge',
    message: 'The file does not hold what its purpose needs.',
    remedy: 'Correct the lines that are named, or upload it for another purpose.',
  }),
  range_not_satisfiable: clientFault({
    status: 416,
    stage: 'edge',
    message: 'The file has no such range of bytes.',
    remedy: 'Ask for a range within the size that content-range tells.',
  }),
  blobs_unavailable: gatewayFault({
    stage: 'edge',
    level: 'error',
    message: 'The store of files does not take or give this file.',
    remedy:
      'Try again later; the operator must look at data_dir (space, rights, health of the disk), or at the bucket of store.blobs.',
  }),
  missing_parameter: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'A required parameter is missing.',
    remedy: 'Add the parameter that is named.',
  }),
  invalid_parameter: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'A parameter has a wrong type or value.',
    remedy: 'Correct the parameter that is named.',
  }),
  ambiguous_parameter: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'A parameter is repeated, or its name is written with escapes or in other letter case.',
    remedy: 'Send each parameter once, in plain letters: a provider might read the other one.',
  }),
  previous_response_not_found: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'The response to go on from is not kept.',
    remedy: 'Send the items of the conversation instead, or ask first with `store: true`.',
  }),
  conversation_not_found: clientFault({
    status: 400,
    stage: 'dialect',
    message: 'The conversation is not kept.',
    remedy: 'Make one with POST /conversations, or leave `conversation` out.',
  }),
  invalid_model: clientFault({
    status: 400,
    stage: 'routing',
    message: 'The model id is not well formed.',
    remedy: 'Use 1 to 256 characters of A–Z a–z 0–9 . _ : / @ + - without `..` segments.',
  }),
  model_not_found: clientFault({
    status: 404,
    stage: 'routing',
    message: 'There is no such model.',
    remedy: 'GET /models lists what this key may use.',
  }),
  account_not_found: clientFault({
    status: 404,
    stage: 'routing',
    message: 'There is no such account or endpoint.',
    remedy: 'Name an account of the configuration; one with endpoints of its own is asked at /proxy-api.',
  }),
  no_target: policyRefusal({
    status: 403,
    stage: 'routing',
    type: 'invalid_request_error',
    message: 'No target of this virtual model can be asked for this request.',
    remedy: 'Use another model, or the metadata that its targets want; or ask an operator for access to one of them.',
  }),
  mcp_server_not_found: clientFault({
    status: 404,
    stage: 'edge',
    message: 'There is no such MCP server, or you may not use it.',
    remedy: 'Correct its name, or have yourself added to its collaborators.',
  }),
  mcp_unavailable: gatewayFault({
    stage: 'edge',
    message: 'The MCP part of the gateway has just ended.',
    remedy: 'Try again in a second; the log says why.',
  }),
} as const satisfies Record<string, ErrorRule>;
