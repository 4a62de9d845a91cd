/** What plugins and host share one copy of. */
const SDK: Readonly<Record<string, string>> = {
  '@xcore/sdk': new URL('../../../sdk/index.ts', import.meta.url).href,
  '@xcore/sdk/testing': new URL('../../../sdk/testing/index.ts', import.meta.url).href,
}

/** The URL of the host's own copy of what a plugin imports; undefined: the plugin's own business. */
export function sharedModule(specifier: string): string | undefined {
  const sdk = Object.hasOwn(SDK, specifier) ? SDK[specifier] : undefined
  if (sdk !== undefined) return sdk
  const shared = specifier === 'typebox' || specifier.startsWith('typebox/') || specifier === '@koa/router'
  // The same file for `import` and `require`: two builds of one library would be two copies.
  return shared ? import.meta.resolve(specifier) : undefined
}
