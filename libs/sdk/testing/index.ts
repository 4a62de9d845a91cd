/** For tests of plugins: `import { loadPlugin } from '@xcore/sdk/testing'`. */
export { loadPlugin } from './load-plugin.ts'
export type {
  AdvanceBy,
  Denial,
  EmittedEvent,
  LoadPluginOptions,
  OtherPlugin,
  PluginUnderTest,
  RequestOptions,
  StubHandler,
  TestJob,
} from './port.ts'
