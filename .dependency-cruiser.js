/**
 * The import rule of docs/architecture.md. Layers, from the top:
 * apps → engine, plugin-host, services → event-log, queue, manifest → postgres, telemetry, config → errors.
 * scripts/import-rule.test.ts runs it on a tree that breaks each rule once.
 */

const TESTS = '[.]test[.]ts$|(^|/)testing/|^(test|bench)/'
const layers = [
  { name: 'errors', path: '^libs/errors/' },
  { name: 'foundation', path: '^libs/(postgres|redis|telemetry|config)/' },
  { name: 'ports', path: '^libs/(event-log|queue|manifest)/' },
  { name: 'use-cases', path: '^libs/(engine|plugin-host|services)/' },
  { name: 'apps', path: '^apps/' },
]

/** A layer imports itself and what lies below it. */
const downwards = layers.slice(0, -1).map(({ name, path }, index) => ({
  name: `${name}-imports-nothing-above`,
  comment: 'Imports go one way: apps → use cases → ports → foundation → errors.',
  severity: 'error',
  from: { path, pathNot: TESTS },
  to: {
    path: layers
      .slice(index + 1)
      .map((layer) => layer.path)
      .join('|'),
  },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...downwards,
    {
      name: 'adapters-only-in-compose',
      comment: 'Which queue and which cache run is chosen in an app’s compose.ts; everything else knows the port.',
      severity: 'error',
      from: {
        path: '^(apps|libs|plugins)/',
        pathNot: `^libs/queue/(pg-boss|bullmq)/|^libs/services/cache/(postgres|redis|memory)/|^apps/[^/]+/compose[.]ts$|${TESTS}`,
      },
      to: { path: '^libs/queue/(pg-boss|bullmq)/|^libs/services/cache/(postgres|redis)/' },
    },
    {
      name: 'queue-engines-only-in-adapters',
      comment: 'Nothing outside libs/queue may know which engine runs; clients of Redis are made in libs/redis.',
      severity: 'error',
      from: { path: '^(apps|libs|plugins)/', pathNot: `^libs/queue/|^libs/redis/|^libs/services/cache/redis/|${TESTS}` },
      to: { path: 'node_modules/(pg-boss|bullmq|ioredis)/' },
    },
    {
      name: 'sdk-stands-alone',
      comment: 'Plugins get the SDK alone: it may use types of the other libraries, typebox and @koa/router.',
      severity: 'error',
      from: { path: '^libs/sdk/', pathNot: `${TESTS}` },
      to: { path: '^(apps|plugins|libs/(?!sdk/))', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'sdk-packages',
      comment: 'What the SDK imports, every plugin imports.',
      severity: 'error',
      from: { path: '^libs/sdk/', pathNot: `${TESTS}` },
      to: { path: 'node_modules/', pathNot: 'node_modules/(typebox|@koa/router|@types|@xcore)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'plugins-import-only-the-sdk',
      comment: 'A plugin works in any folder on disk: it imports @xcore/sdk and npm packages.',
      severity: 'error',
      from: { path: '^plugins/([^/]+)/' },
      to: { path: '^(apps|libs|plugins|bench|test|scripts)/', pathNot: '^plugins/$1/|^libs/sdk/' },
    },
    {
      name: 'plugins-import-the-sdk-by-name',
      severity: 'error',
      from: { path: '^plugins/' },
      to: { path: '^libs/sdk/', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'apps-stand-beside-each-other',
      comment: 'Only the command line starts the others.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/', pathNot: `^apps/cli/|${TESTS}` },
      to: { path: '^apps/', pathNot: '^apps/($1|platform)/' },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs|plugins)/', pathNot: TESTS },
      to: { path: '[.]test[.]ts$|^(test|bench)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^(apps|libs|plugins)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'every-import-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'only-declared-packages',
      comment: 'Declared in package.json, and not only for development when the product needs it.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/fixtures/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
