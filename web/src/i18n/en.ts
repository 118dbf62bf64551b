import { agenda } from './en/agenda'
import { app } from './en/app'
import { calls } from './en/calls'
import { cameras } from './en/cameras'
import { consultations } from './en/consultations'
import { control } from './en/control'
import { deviceAdmin } from './en/devices'
import { directory } from './en/directory'
import { dispatch } from './en/dispatch'
import { exports } from './en/exports'
import { groups } from './en/groups'
import { keeping } from './en/keeping'
import { keys } from './en/keys'
import { linktests } from './en/linktests'
import { policies } from './en/policies'
import { quick } from './en/quick'
import { recorded } from './en/recorded'
import { review } from './en/review'
import { rollcalls } from './en/rollcalls'
import { room } from './en/room'
import type { Words } from './zh'

export const en: Words = {
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
