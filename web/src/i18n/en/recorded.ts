/** Recording of calls and single cameras. */
export const recorded = {
  recorded: {
    start: 'Record',
    stop: 'Stop recording',
    pending: 'One moment',
    on: 'Recording',
    failed: 'Recording failed',
    started: 'Recording: everybody in the call sees it',
    stopped: 'Recording stopped',
    camera: 'Record this camera',
    cameraStop: 'Stop recording this camera',
    cameraStarted: 'Recording {{name}}',
    cameraStopped: 'Stopped recording {{name}}',
  },
}
