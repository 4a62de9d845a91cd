import { channel } from 'node:diagnostics_channel'
import { TrustedBase, action, ok } from '@xcore/sdk'

/** Tells the bench in the same process that a handler has run. */
const ran = channel('xcore.bench.ran')
const done = ok()

export default class Noop extends TrustedBase {
  override actions = {
    noop: action({
      handler: async () => {
        ran.publish(undefined)
        return done
      },
    }),
  }
}
