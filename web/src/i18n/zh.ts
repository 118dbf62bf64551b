import { agenda } from './zh/agenda'
import { app } from './zh/app'
import { calls } from './zh/calls'
import { cameras } from './zh/cameras'
import { consultations } from './zh/consultations'
import { control } from './zh/control'
import { deviceAdmin } from './zh/devices'
import { directory } from './zh/directory'
import { dispatch } from './zh/dispatch'
import { exports } from './zh/exports'
import { groups } from './zh/groups'
import { keeping } from './zh/keeping'
import { keys } from './zh/keys'
import { linktests } from './zh/linktests'
import { policies } from './zh/policies'
import { quick } from './zh/quick'
import { recorded } from './zh/recorded'
import { review } from './zh/review'
import { rollcalls } from './zh/rollcalls'
import { room } from './zh/room'

/** The words of the pages, a file for each screen. Plain Chinese, verb first on buttons; `en.ts` has the same keys. */
export const zh = {
  ...app,
  ...consultations,
  ...room,
  ...control,
  ...rollcalls,
  ...linktests,
  ...agenda,
  ...recorded,
  ...policies,
  ...review,
  ...keeping,
  ...exports,
  ...calls,
  ...cameras,
  ...deviceAdmin,
  ...dispatch,
  ...directory,
  ...groups,
  ...keys,
  ...quick,
}

export type Words = typeof zh
