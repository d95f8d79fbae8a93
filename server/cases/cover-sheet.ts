import { siteClock } from '#api/site-time.ts';
import type { Manifest } from './schema.ts';

const modeNames = { copy: '原始码流', transcode: '转码（叠加时间）', still: '截图' } as const;

/** Text into HTML: names come from people and cameras. */
export function escapeHtml(text: string): string {
  const signs: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (sign) => signs[sign] ?? sign);
}

/**
 * The cover sheet of a package as an HTML page for printing: what was handed over, from where, for whom, the sums of every file, and lines to
 * sign. In Chinese, as the receiving offices work. `files`: the clips and stills of the manifest.
 */
export function coverSheet(manifest: Omit<Manifest, 'format'>): string {
  const { case: facts, package: made } = manifest;
  const at = (instant: string) => escapeHtml(siteClock(Date.parse(instant), made.timeZone));
  const row = (name: string, value: string) => `<tr><th>${name}</th><td>${value}</td></tr>`;
  const clips = manifest.files.map(({ path, sizeBytes, sha256, clip }, index) => {
    if (!clip) return '';
    const { camera } = clip;
    const maker = [camera.manufacturer, camera.model, camera.serialNumber, camera.firmwareVersion]
      .map((part) => escapeHtml(part ?? '未知'))
      .join(' / ');
    const gaps = clip.gaps.map((gap) => `${at(gap.fromAt)} – ${at(gap.toAt)}`).join('；');
    const skew =
      clip.clock.cameraSkewMs === null
        ? '未测得'
        : `${(clip.clock.cameraSkewMs / 1000).toFixed(1)} 秒（摄像机减服务器）`;
    const extra =
      clip.mode === 'copy'
        ? row(
            '首尾多出',
            `前 ${(clip.leadMs / 1000).toFixed(2)} 秒，后 ${(clip.tailMs / 1000).toFixed(2)} 秒（原始码流须从关键帧开始）`,
          )
        : '';
    const hidden = clip.hidden.length > 0 ? row('画面遮挡', `${clip.hidden.length} 处区域已不可逆模糊`) : '';
    return `<section><h2>${index + 1}. ${escapeHtml(camera.name)}${clip.parts > 1 ? `（第 ${clip.part}/${clip.parts} 段）` : ''}</h2><table>
${row('文件', escapeHtml(path))}
${row('方式', modeNames[clip.mode])}
${row('所求时段', clip.mode === 'still' ? at(clip.asked.fromAt) : `${at(clip.asked.fromAt)} – ${at(clip.asked.toAt)}`)}
${row('实有时段', clip.covered.map((span) => `${at(span.fromAt)} – ${at(span.toAt)}`).join('；'))}
${row('缺失时段', gaps || '无')}
${extra}${hidden}
${row('摄像机', `${maker}<br>MAC ${escapeHtml(camera.mac ?? '未知')}，地址 ${escapeHtml(camera.address ?? '未知')}`)}
${row('摄像机时钟偏差', skew)}
${row('大小', `${sizeBytes.toLocaleString('zh-CN')} 字节`)}
${row('SHA-256', `<code>${sha256}</code>`)}
${row('导出人', `${escapeHtml(clip.requestedBy)}，${at(clip.requestedAt)}`)}
</table></section>`;
  });
  return `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>视频证据移交单</title><style>
@page { size: A4; margin: 18mm 16mm; }
body { font: 10.5pt/1.5 'WenQuanYi Zen Hei', 'Noto Sans CJK SC', sans-serif; color: #000; }
h1 { font-size: 18pt; text-align: center; margin: 0 0 2mm; } h2 { font-size: 12pt; margin: 6mm 0 2mm; }
p.sub { text-align: center; margin: 0 0 6mm; }
table { width: 100%; border-collapse: collapse; } th, td { border: 0.3mm solid #444; padding: 1mm 2mm; text-align: left; vertical-align: top; word-break: break-all; }
th { width: 28mm; background: #f0f0f0; font-weight: normal; } section { break-inside: avoid; }
code { font-size: 8.5pt; } .sign td { height: 16mm; width: 25%; }
</style><h1>视频证据移交单</h1><p class="sub">${escapeHtml(made.site || '（未填写单位名称）')}　案件 ${escapeHtml(facts.number)}　第 ${made.number} 号证据包</p>
<table>${row('案件', escapeHtml(facts.title))}${row('调取单位', escapeHtml(facts.organisation))}${row('调取人', escapeHtml(facts.requester))}${row('法律依据', escapeHtml(facts.legalBasis))}${row('用途', escapeHtml(facts.reason))}${row('批准人', escapeHtml(facts.authoriser))}${row('制作', `${escapeHtml(made.requestedBy)}，${at(made.madeAt)}（${escapeHtml(made.timeZone)}）`)}${row('签名密钥指纹', `<code>${escapeHtml(made.keyFingerprint)}</code><br>Ed25519 公钥的 SHA-256，与控制台“案件”页公布的一致方可确认来源`)}</table>
${clips.join('\n')}
<h2>移交</h2><table class="sign"><tr><td>移交人：</td><td>接收人：</td><td>证件号：</td><td>日期：</td></tr></table>
<p>核对方法：每个文件的 SHA-256 记录在 manifest.json 中，该文件由 manifest.sig 签名；可在控制台“核验证据包”页或用 npm run verify 核对。</p></html>`;
}
