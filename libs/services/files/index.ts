export { filesService } from './files.ts'
