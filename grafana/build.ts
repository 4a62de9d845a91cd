import { writeFileSync } from 'node:fs'
import { DASHBOARDS, dashboardFile, dashboardText } from './code/dashboards.ts'

// npm run dashboards
for (const { name, dashboard } of DASHBOARDS) writeFileSync(dashboardFile(name), dashboardText(dashboard))
