import { spawn } from 'node:child_process';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { legacyTools } from './mcp-servers.ts';

/** A process that speaks MCP on its standard streams, and starts another one that never ends. */
const server = legacyTools('process');
server.registerTool('environment', { description: 'Names of variables.' }, () => ({
  content: [{ type: 'text', text: JSON.stringify(process.env) }],
}));
server.registerTool('pids', { description: 'Of it and of what it started.' }, () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  return { content: [{ type: 'text', text: JSON.stringify([process.pid, child.pid]) }] };
});
server.registerTool('die', { description: 'Ends it.' }, () => process.exit(3));
// It would go on when its input ends.
setInterval(() => undefined, 1000);
await server.connect(new StdioServerTransport());
