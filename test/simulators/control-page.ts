/** The control page: no build step, no outside resource. */
export const controlPage = `<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>模拟医院 · Simulated hospital</title>
<style>
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, 'WenQuanYi Zen Hei', sans-serif; }
  body { margin: 0 auto; max-width: 1180px; padding: 1rem; }
  h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
  p { margin: 0 0 1rem; opacity: .75; }
  article { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: 10px; padding: .7rem .9rem; margin: .6rem 0; }
  header { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; margin-bottom: .45rem; }
  header small { opacity: .7; font-variant-numeric: tabular-nums; }
  button { font: inherit; font-size: .82rem; padding: .2rem .6rem; margin: .12rem; border-radius: 99px; cursor: pointer;
    border: 1px solid color-mix(in srgb, currentColor 35%, transparent); background: transparent; color: inherit; }
  button[aria-pressed=true] { background: #c62828; border-color: #c62828; color: #fff; }
  button:focus-visible { outline: 2px solid #2f7de1; outline-offset: 1px; }
  #error { color: #c62828; }
</style>
<h1>模拟医院控制台 · Simulated hospital</h1>
<p>按下即对该设备施加故障，再按恢复。 Press to apply a fault to a device, press again to clear it. <span id="error" role="alert"></span></p>
<main id="list"></main>
<script>
  const LABELS = {
    drop: '断线 Drop', freeze: '画面冻结 Freeze', black: '黑屏 Black', white: '白屏 White', blur: '失焦 Blur',
    covered: '遮挡 Covered', refusePassword: '拒绝密码 Refuse password', lockout: '账号锁定 Lockout', noVideo: '无视频 No video',
    malformedSoap: '应答残缺 Malformed SOAP', clockSkew: '时钟快10分 Clock +10 min', slow: '响应慢 Slow 3 s',
    stall: '中途停流 Stall', changeAddress: '更换地址 New address',
  };
  const list = document.getElementById('list'), error = document.getElementById('error');
  const call = async (method, path, body) => {
    const answer = await fetch(path, { method, ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
    const value = await answer.json();
    error.textContent = answer.ok ? '' : value.message;
    return value;
  };
  const text = (tag, words) => Object.assign(document.createElement(tag), { textContent: words });
  const hosts = new Map();
  function card(d, index) {
    const article = document.createElement('article'), header = document.createElement('header');
    hosts.set(d.id, 200 + index);
    header.append(text('strong', d.name), text('small', d.id + ' · ' + d.address + ' · RTSP ' + d.stats.rtspClients));
    article.append(header);
    for (const [kind, label] of Object.entries(LABELS)) {
      const on = d.faults.some((f) => f.kind === kind);
      const button = text('button', label);
      button.setAttribute('aria-pressed', on);
      button.onclick = async () => {
        if (on) await call('DELETE', '/devices/' + d.id + '/fault/' + kind);
        else await call('POST', '/devices/' + d.id + '/fault', { kind, ...(kind === 'changeAddress' && { host: hosts.get(d.id) }) });
        show();
      };
      article.append(button);
    }
    return article;
  }
  async function show() {
    const devices = await call('GET', '/devices');
    list.replaceChildren(...devices.map(card));
  }
  show();
  setInterval(() => { if (!list.contains(document.activeElement)) show(); }, 3000);
</script>
</html>
`;
