import { TrustedBase, Type, action, ok } from '@xcore/sdk'

export default class Caller extends TrustedBase {
  override actions = {
    measure: action({
      input: Type.Object({ trips: Type.Integer({ minimum: 1 }) }),
      handler: async ({ trips }) => {
        const milliseconds: number[] = []
        for (let trip = 0; trip < trips; trip += 1) {
          const started = performance.now()
          const { status } = await this.callPlugin('noop', 'noop')
          if (status !== 'ok') throw new Error(`expected noop to succeed, found ${status}`)
          milliseconds.push(performance.now() - started)
        }
        return ok({ milliseconds })
      },
    }),
  }
}
