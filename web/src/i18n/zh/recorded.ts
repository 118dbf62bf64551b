/** Recording of calls and single cameras. */
export const recorded = {
  recorded: {
    start: '录制',
    stop: '停止录制',
    pending: '请稍候',
    on: '录制中',
    failed: '录制失败',
    started: '已开始录制，通话各方都会看到',
    stopped: '已停止录制',
    camera: '录制这一路',
    cameraStop: '停止录制这一路',
    cameraStarted: '已开始录制 {{name}}',
    cameraStopped: '已停止录制 {{name}}',
  },
}
