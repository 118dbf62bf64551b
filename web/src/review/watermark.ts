const angle = -20
const font = '500 13px "Noto Sans CJK SC","Noto Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif'
const checkEvery = 700

/** A sheet of the words, to be repeated; light with a dark edge, so that it is seen on both. */
function sheet(words: string): string {
  const ratio = Math.min(2, window.devicePixelRatio || 1)
  const canvas = document.createElement('canvas')
  const paper = canvas.getContext('2d')
  if (!paper) return ''
  paper.font = font
  const width = Math.max(260, Math.ceil(paper.measureText(words).width * 1.35) + 40)
  const height = 190
  canvas.width = width * ratio
  canvas.height = height * ratio
  paper.scale(ratio, ratio)
  paper.font = font
  paper.lineWidth = 2
  paper.strokeStyle = 'rgb(0 0 0 / 10%)'
  paper.fillStyle = 'rgb(255 255 255 / 15%)'
  for (const [x, y] of [
    [0, height * 0.3],
    [-width / 2, height * 0.8],
    [width / 2, height * 0.8],
  ] as const) {
    paper.save()
    paper.translate(x + width / 2, y)
    paper.rotate((angle * Math.PI) / 180)
    paper.textAlign = 'center'
    paper.strokeText(words, 0, 0)
    paper.fillText(words, 0, 0)
    paper.restore()
  }
  return canvas.toDataURL()
}

/**
 * Lays who looks, and when, over everything in `box`, and lays it there again when it is taken away, hidden or made
 * small. Who wants it away has to change the program; a copy of the screen says whose it was. The result ends it.
 */
export function guard(box: HTMLElement, words: () => string): () => void {
  let mark: HTMLElement | undefined
  let shown = ''
  let picture = ''
  const style: Record<string, string> = {
    display: 'block', position: 'absolute', inset: '0', width: 'auto', height: 'auto', opacity: '1', visibility: 'visible',
    'z-index': '30', 'pointer-events': 'none', filter: 'none', transform: 'none', scale: 'none', translate: 'none', 'clip-path': 'none',
    'background-repeat': 'repeat', 'mask-image': 'none', 'content-visibility': 'visible',
  } // biome-ignore format: a table
  const lay = () => {
    mark?.remove()
    mark = document.createElement('div')
    mark.setAttribute('aria-hidden', 'true')
    mark.dataset.testid = 'watermark'
    mark.dataset.words = shown
    for (const [name, value] of Object.entries(style)) mark.style.setProperty(name, value, 'important')
    mark.style.setProperty('background-image', `url("${picture}")`, 'important')
    // At the size it was drawn for.
    mark.style.setProperty('background-size', 'auto 190px', 'important')
    box.append(mark)
    watcher.observe(mark, { attributes: true })
  }
  const whole = () => {
    if (!mark || mark.parentElement !== box) return false
    const seen = getComputedStyle(mark)
    const { width, height } = mark.getBoundingClientRect()
    const around = box.getBoundingClientRect()
    return (
      seen.display === 'block' &&
      seen.visibility === 'visible' &&
      Number(seen.opacity) > 0.99 &&
      seen.backgroundImage.length > 20 &&
      seen.clipPath === 'none' &&
      seen.filter === 'none' &&
      width >= around.width - 2 &&
      height >= around.height - 2
    )
  }
  const check = () => {
    const now = words()
    if (now !== shown) {
      shown = now
      picture = sheet(now)
      watcher.disconnect()
      watcher.observe(box, { childList: true })
      lay()
    } else if (!whole()) lay()
  }
  const watcher = new MutationObserver(check)
  check()
  const timer = setInterval(check, checkEvery)
  return () => {
    clearInterval(timer)
    watcher.disconnect()
    mark?.remove()
  }
}
