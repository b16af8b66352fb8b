import type { McpConnection, McpConnectionFilter, McpPlace, McpSignIn } from '../store/mcp-connections.ts';
import type { AccessTokenClaims } from '../store/token-claims.ts';

/** What the thread of MCP asks of rows that only the database's thread sees. Secrets in them are sealed. */
export type McpRowQuestion =
  | { readonly kind: 'connection'; readonly place: McpPlace }
  | { readonly kind: 'connections'; readonly filter: McpConnectionFilter }
  | { readonly kind: 'put-connection'; readonly connection: McpConnection }
  | { readonly kind: 'lease'; readonly id: string; readonly version: number; readonly forMs: number }
  | { readonly kind: 'release'; readonly id: string; readonly version: number }
  | {
      readonly kind: 'update-connection';
      readonly id: string;
      readonly version: number;
      readonly change: Pick<McpConnection, 'secret' | 'scopes' | 'expiresAt' | 'updatedAt'>;
    }
  | { readonly kind: 'delete-connections'; readonly filter: McpConnectionFilter }
  | {
      readonly kind: 'put-pending';
      readonly pending: {
        readonly id: string;
        readonly owner: string;
        readonly secret: string;
        readonly expiresAt: number;
      };
    }
  | { readonly kind: 'take-pending'; readonly id: string }
  | { readonly kind: 'client'; readonly id: string }
  | { readonly kind: 'put-client'; readonly id: string; readonly secret: string }
  | { readonly kind: 'delete-client'; readonly id: string }
  | { readonly kind: 'put-sign-in'; readonly signIn: McpSignIn }
  | { readonly kind: 'next-of-sign-in'; readonly id: string; readonly generation: number }
  | { readonly kind: 'sign-ins'; readonly subject: string | undefined }
  | { readonly kind: 'delete-sign-in'; readonly id: string; readonly subject?: string }
  /** Signed with the gateway's signing key. */
  | { readonly kind: 'access-token'; readonly claims: AccessTokenClaims };

export type McpRowAnswer =
  | { readonly kind: 'connections'; readonly connections: readonly McpConnection[] }
  | { readonly kind: 'sign-ins'; readonly signIns: readonly McpSignIn[] }
  /** A secret, or a token. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'absent' }
  /** The database does not answer; it may come back. */
  | { readonly kind: 'away' }
  /** A fault of ours; it stands in the log. */
  | { readonly kind: 'failed' };
