export * from '@xcore/sdk'
