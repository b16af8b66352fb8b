/** JSON schemas of what the key routes take, for the OpenAPI document. */
export const keySchema = {
  type: 'object',
  required: ['subject'],
  additionalProperties: false,
  properties: {
    subject: { type: 'string', description: '`user:EMAIL` or `virtualaccount:NAME`' },
    name: { type: 'string', maxLength: 64, description: 'A label for the list' },
    teams: { type: 'array', maxItems: 100, items: { type: 'string' } },
    models: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string' },
      description: 'Patterns `account/model` in which `*` stands for any characters; absent: all models',
    },
    metadata: { type: 'object', additionalProperties: { type: 'string', maxLength: 128 } },
    expires_in: { type: 'string', example: '90d', description: 'A whole number with s, m, h, d or w' },
    expires_at: {
      type: 'string',
      format: 'date-time',
      description: 'Excludes expires_in; without both as its account says, else never',
    },
    token_type: { type: 'string', enum: ['jwt', 'opaque'], description: 'Absent: as its account says, else jwt' },
  },
};

export const rotationSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    grace_period: {
      type: 'string',
      default: '24h',
      description: 'How long the old token works beside the new one; 0s: it ends at once',
    },
  },
};
