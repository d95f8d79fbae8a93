/** One registered failure: HTTP status, what to tell a person in both languages, and whether trying again can help. */
interface ErrorEntry {
  readonly status: number;
  readonly zh: string;
  readonly en: string;
  readonly isRetryable?: boolean;
}

/**
 * Every code the API can answer with. A sentence says what happened and what the person at the desk can do next.
 * 5xx sentences never name the cause: that is in the log under the same request number.
 */
export const errorRegistry = {
  'request.invalid': {
    status: 400,
    zh: '提交的内容不符合要求，请检查标出的字段。',
    en: 'The request does not fit what is expected; check the fields named.',
  },
  'request.too-large': { status: 413, zh: '提交的内容过大。', en: 'The request is too large.' },
  'request.rate-limited': {
    status: 429,
    zh: '操作过于频繁，请稍候再试。',
    en: 'Too many requests; wait a moment and try again.',
    isRetryable: true,
  },
  'not-found': { status: 404, zh: '没有找到，可能已被删除。', en: 'Not found; it may have been deleted.' },
  conflict: {
    status: 409,
    zh: '与现有内容冲突，请刷新后再试。',
    en: 'This conflicts with what is there; refresh and try again.',
  },
  'conflict.version': {
    status: 409,
    zh: '其他人刚刚修改了此项，请刷新后再改。',
    en: 'Somebody else has just changed this; refresh before changing it.',
  },
  'auth.required': { status: 401, zh: '请先登录。', en: 'Log in first.' },
  'auth.wrong-password': {
    status: 401,
    zh: '用户名或密码不正确。',
    en: 'The user name or password is wrong.',
  },
  'auth.locked': {
    status: 423,
    zh: '连续输错次数过多，已暂时锁定，请稍后再试或联系管理员。',
    en: 'Locked for a while after too many wrong passwords; wait, or ask an administrator.',
    isRetryable: true,
  },
  'auth.forbidden': {
    status: 403,
    zh: '您的角色没有此项权限，请联系管理员。',
    en: 'Your role does not allow this; ask an administrator.',
  },
  'auth.csrf': {
    status: 403,
    zh: '页面已过期，请刷新后再试。',
    en: 'This page has expired; refresh and try again.',
  },
  'auth.password-weak': {
    status: 422,
    zh: '密码至少 10 位，且不能是常见密码或与用户名相同。',
    en: 'A password needs at least 10 characters and must not be common or the user name.',
  },
  'auth.must-change-password': {
    status: 403,
    zh: '请先修改初始密码。',
    en: 'Change the first password before going on.',
  },
  'auth.last-admin': {
    status: 409,
    zh: '至少要保留一名启用的管理员。',
    en: 'At least one active administrator must remain.',
  },
  'user.name-taken': { status: 409, zh: '用户名已被使用。', en: 'That user name is taken.' },
  'setup.done': { status: 409, zh: '首次设置已完成。', en: 'The first-run set-up is already done.' },
  'device.unreachable': {
    status: 502,
    zh: '设备没有应答，请检查网络、电源和地址。',
    en: 'The device does not answer; check network, power and address.',
    isRetryable: true,
  },
  'device.unauthorized': {
    status: 502,
    zh: '设备拒绝了用户名或密码。',
    en: 'The device refused the user name or password.',
  },
  'device.locked': {
    status: 502,
    zh: '设备账号已被锁定，请稍后再试，避免重复尝试。',
    en: 'The account on the device is locked; wait, and do not keep trying.',
  },
  'device.bad-answer': {
    status: 502,
    zh: '设备的应答不符合协议。',
    en: 'The device answered something that breaks its protocol.',
  },
  'device.not-supported': { status: 502, zh: '设备不支持此功能。', en: 'The device does not support this.' },
  'device.outside-networks': {
    status: 422,
    zh: '地址不在已设置的摄像机网段内，请先在设置中加入该网段。',
    en: 'The address is outside the camera networks; add the network in the settings first.',
  },
  'discovery.range-too-large': {
    status: 422,
    zh: '扫描范围过大，一次最多 4096 个地址。',
    en: 'The range is too large: at most 4096 addresses at a time.',
  },
  'discovery.busy': {
    status: 409,
    zh: '正在搜索设备，请等待完成或先取消。',
    en: 'A search is under way; wait for it or cancel it.',
  },
  'channel.no-picture': {
    status: 503,
    zh: '此摄像机暂无画面。',
    en: 'This camera gives no picture at present.',
    isRetryable: true,
  },
  'footage.none': { status: 404, zh: '所选时间内没有录像。', en: 'There is no footage in the chosen time.' },
  'footage.range-invalid': {
    status: 422,
    zh: '时间范围无效：结束须晚于开始，且不超过允许的长度。',
    en: 'The time range is invalid: the end must come after the start, within the allowed length.',
  },
  'export.not-ready': { status: 409, zh: '导出尚未完成。', en: 'The export is not finished.' },
  'export.failed': {
    status: 500,
    zh: '导出失败，请查看原因后重试。',
    en: 'The export failed; see the reason and try again.',
  },
  'export.limit': {
    status: 422,
    zh: '超出您的角色允许的导出时长或每日数量，请联系管理员。',
    en: 'This is more than your role may export, by length or number a day; ask an administrator.',
  },
  'export.in-case': {
    status: 409,
    zh: '此录像属于案件，不能删除；请先从案件中移除。',
    en: 'This clip belongs to a case and cannot be deleted; take it out of the case first.',
  },
  'case.closed': {
    status: 409,
    zh: '案件已结案，请先重新打开。',
    en: 'The case is closed; open it again first.',
  },
  'case.number-taken': { status: 409, zh: '案件编号已被使用。', en: 'That case number is taken.' },
  'case.clip-packaged': {
    status: 409,
    zh: '此录像已在证据包中，不能移除。',
    en: 'This clip is in a package already and cannot be taken out.',
  },
  'package.empty': {
    status: 409,
    zh: '案件中没有已完成的录像，或还有录像未完成。',
    en: 'The case has no finished clip, or some are not finished yet.',
  },
  'package.not-ready': { status: 409, zh: '证据包尚未生成。', en: 'The package is not ready.' },
  'package.needs-approval': {
    status: 403,
    zh: '已启用双人复核：须由另一人批准证据包后才能下载。',
    en: 'The two-person rule is on: a second person must approve the package before it can be downloaded.',
  },
  'package.same-person': {
    status: 403,
    zh: '申请人不能批准自己的证据包，请由另一人批准。',
    en: 'Whoever asked for a package cannot approve it; a second person must.',
  },
  'backup.target': {
    status: 422,
    zh: '备份位置不可用：请检查目录是否已挂载、可写，且未被其他备份位置使用。',
    en: 'The backup target cannot be used: check that the folder is mounted, writable and not used by another target.',
  },
  'plan.bad-file': {
    status: 422,
    zh: '平面图文件无法识别，请使用 PNG、JPEG 或 SVG。',
    en: 'The floor plan could not be read; use PNG, JPEG or SVG.',
  },
  'storage.full': { status: 507, zh: '存储空间不足。', en: 'The storage is full.' },
  unavailable: {
    status: 503,
    zh: '服务暂不可用，请稍候再试。',
    en: 'The service is not available at the moment; try again shortly.',
    isRetryable: true,
  },
  internal: {
    status: 500,
    zh: '系统内部错误，请将请求编号告知工程师。',
    en: 'An internal error occurred; give the request number to an engineer.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorRegistry;

/** What went wrong, as a registered code. `details` is JSON-safe and reaches the client; `cause` reaches only the log. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, details?: Record<string, unknown>, options?: { cause?: unknown }) {
    super(errorRegistry[code].en, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return errorRegistry[this.code].status;
  }
}

/** Whether trying the same again later can help. */
export function isRetryable(code: ErrorCode): boolean {
  const entry: ErrorEntry = errorRegistry[code];
  return entry.isRetryable ?? false;
}
