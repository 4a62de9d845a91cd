import type { Static, TSchema } from 'typebox'
import type { JobContext, Payload } from './context.ts'
import type { ActionResult, ErrorResult, OkResult } from './results.ts'

/** A declared action: validated before it is accepted, listed in /openapi.json. */
export interface Action {
  /** JSON schema of the payload; null: any object. */
  readonly input: TSchema | null
  /** JSON schema of the result's fields beside `status`; null: anything. */
  readonly output: TSchema | null
  readonly description?: string
  readonly handler: (payload: never, job: JobContext) => ActionResult | Promise<ActionResult>
}

export type Actions = Readonly<Record<string, Action>>

/** What the handler of an action with an output schema may return: `ok(fields)`, the fields alone, or `error(…)`. */
export type Returned<Output> = (Output extends object ? OkResult<Output> | Output : never) | ErrorResult

interface Described {
  readonly description?: string
}

/**
 * Declares an action. With `input` the payload is checked against the schema, and the handler's parameter has its type. The payload reaches
 * the handler as it was sent: no defaults are filled in, nothing is converted. With `output` the handler must return what fits it: any
 * other `ok` ends the job with `invalid_result`.
 */
export function action<const Input extends TSchema, const Output extends TSchema>(
  definition: Described & {
    readonly input: Input
    readonly output: Output
    readonly handler: (payload: Static<Input>, job: JobContext) => Returned<Static<Output>> | Promise<Returned<Static<Output>>>
  },
): Action
export function action<const Output extends TSchema>(
  definition: Described & {
    readonly input?: never
    readonly output: Output
    readonly handler: (payload: Payload, job: JobContext) => Returned<Static<Output>> | Promise<Returned<Static<Output>>>
  },
): Action
export function action<const Input extends TSchema>(
  definition: Described & {
    readonly input: Input
    readonly output?: never
    readonly handler: (payload: Static<Input>, job: JobContext) => ActionResult | Promise<ActionResult>
  },
): Action
export function action(
  definition: Described & {
    readonly input?: never
    readonly output?: never
    readonly handler: (payload: Payload, job: JobContext) => ActionResult | Promise<ActionResult>
  },
): Action
export function action(
  definition: Described & { readonly input?: TSchema; readonly output?: TSchema; readonly handler: Action['handler'] },
): Action {
  return {
    input: definition.input ?? null,
    output: definition.output ?? null,
    handler: definition.handler,
    ...(definition.description === undefined ? {} : { description: definition.description }),
  }
}
