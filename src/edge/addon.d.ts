/** What the addon has beyond its own declarations. */
declare module 'uWebSockets.js' {
  export function _cfg(key: string): void;
}

export {};
