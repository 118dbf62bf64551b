/** Ctrl K. */
export const quick = {
  quick: {
    title: '快速查找',
    hint: '查找会商、群组、人员、单位、摄像机',
    kind: { consultation: '会商', group: '群组', entry: '通讯录', camera: '摄像机' },
    act: { join: '加入', talk: '讲话群组', call: '呼叫', open: '打开' },
    leaves: '会离开当前会商，再按一次 Enter',
    keys: '↑ ↓ 选择，Enter 执行，Shift Enter 只打开，Esc 关闭',
  },
}
