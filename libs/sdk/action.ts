import type { Static, TSchema } from 'typebox'
import type { JobContext, Payload } from './context.ts'
import type { ActionResult } from './results.ts'

/** A declared action: validated before it is accepted, listed in /openapi.json. */
export interface Action {
  /** JSON schema of the payload; null: any object. */
  readonly input: TSchema | null
  readonly description?: string
  readonly handler: (payload: never, job: JobContext) => ActionResult | Promise<ActionResult>
}

export type Actions = Readonly<Record<string, Action>>

/**
 * Declares an action. With `input` the payload is checked against the schema, and the handler's parameter has its type.
 * The payload reaches the handler as it was sent: no defaults are filled in, nothing is converted.
 */
export function action<const Input extends TSchema>(definition: {
  readonly input: Input
  readonly description?: string
  readonly handler: (payload: Static<Input>, job: JobContext) => ActionResult | Promise<ActionResult>
}): Action
export function action(definition: {
  readonly input?: never
  readonly description?: string
  readonly handler: (payload: Payload, job: JobContext) => ActionResult | Promise<ActionResult>
}): Action
export function action(definition: {
  readonly input?: TSchema
  readonly description?: string
  readonly handler: Action['handler']
}): Action {
  return {
    input: definition.input ?? null,
    handler: definition.handler,
    ...(definition.description === undefined ? {} : { description: definition.description }),
  }
}
