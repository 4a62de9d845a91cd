/** What a plugin imports. */
import './request-body.ts'
export { Router } from '@koa/router'
export { Type } from 'typebox'
export type { Static, TSchema } from 'typebox'
export { action } from './action.ts'
export type { Action, Actions, Returned } from './action.ts'
export type { Cache, CacheOptions } from './cache.ts'
// One view for the author, whatever `execution_mode` runs it.
export { TrustedBase, TrustedBase as SandboxedBase } from './base.ts'
export type {
  CallOptions,
  CallResult,
  EmitOptions,
  EnqueueOptions,
  EventHandler,
  EventMessage,
  EventSubscription,
  JobContext,
  Payload,
  PluginContext,
  PluginEvents,
  AfterCall,
  AfterResult,
  BeforeCall,
  BeforeResult,
  HookJob,
  HookOptions,
  HookSubscription,
  PermissionVerb,
  PluginHooks,
  PluginMetrics,
  PluginPermissions,
  Services,
  SubscribeOptions,
  Transaction,
} from './context.ts'
export { sqlFault } from './db.ts'
export type { Db, DbSession, Row, SqlFault } from './db.ts'
export { Discard, HttpError, RetryLater } from './errors.ts'
export type { AttemptErrorOptions, HttpErrorOptions } from './errors.ts'
export { fetch } from './fetch.ts'
export type { FileInfo, Files } from './files.ts'
export { error, ok } from './results.ts'
export type { ActionResult, ErrorOptions, ErrorResult, OkResult } from './results.ts'
export type {
  CronSchedule,
  DateSchedule,
  IntervalSchedule,
  MissedPolicy,
  ScheduleDefinition,
  ScheduledJob,
  Scheduler,
} from './scheduler.ts'
export { route } from './route.ts'
export type { RouteAnswer, RouteInput, RouteSchemas } from './route.ts'
export { validated } from './validated.ts'
