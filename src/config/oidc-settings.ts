/** Sign-in of people with an identity provider: in the console, and where clients of MCP are signed in. */
export interface OidcSettings {
  /** Name of an identity provider. */
  provider: string;
  clientId: string;
  clientSecret?: string;
  scopes: string[];
}
