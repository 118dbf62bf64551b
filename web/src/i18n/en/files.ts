import type { files as words } from '../zh/files'

export const files: typeof words = {
  files: {
    open: 'Download',
    openChosen: 'Download the span',
    title: 'Download recordings: {{name}}',
    noRight: 'You may not download recordings of this camera',
    from: 'From',
    to: 'To',
    start: 'Download',
    starting: 'Starting',
    list: 'My downloads',
    progress: 'How far {{name}} is',
    save: 'Save {{name}}',
    cancel: 'Cancel {{name}}',
    remove: 'Delete {{name}}',
    waiting: 'Waiting · {{length}}',
    receiving: '{{percent}}% · {{size}} so far · {{length}}',
    done: '{{length}} · {{size}} · MP4',
    failed: 'The download has failed',
    problem: {
      order: 'It has to end after it begins',
      future: 'There are no recordings of that time yet',
      long: 'At most 24 hours at a time',
    },
    snapshots: 'Latest snapshots',
    noSnapshots: 'No snapshots yet',
  },
}
