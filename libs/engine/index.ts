export { createEngine } from './engine.ts'
export type { ConsumerSettings, EngineOptions, RunningEngine } from './engine.ts'
export { EVERYTHING } from './consumers.ts'
export type { Consumers, WorkerGroup } from './consumers.ts'
export { systemClock } from './clock.ts'
export type { Clock } from './clock.ts'
export type * from './port.ts'
export type * from './plugin-port.ts'
export type {
  JobTransaction,
  OwnStatement,
  PluginTransaction,
  Stage,
  Staged,
  StagedItem,
  Stager,
  TransactionHandle,
} from './plugin-transaction.ts'
export { StatementRefused, bindStage, stageOf } from './plugin-transaction.ts'
export type { RateTokens } from './rate-tokens/rate-tokens.ts'
export { runMaintenance } from './maintenance.ts'
export type { MaintenanceDuty, MaintenanceOptions } from './maintenance.ts'
