export * from './ids.ts'
export * from './job.ts'
export * from './json.ts'
export * from './log-events.ts'
