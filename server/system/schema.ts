import { Type, type Static } from 'typebox';
import { OneOf, OrNull, Shape } from '#api/http/schema.ts';

const Part = Shape({ isOk: Type.Boolean(), detail: OrNull(Type.String()) });
/** Whether the parts this console stands on work. `status` is `ok` only if all do. */
export const HealthReport = Shape({
  status: OneOf(['ok', 'failing']),
  version: Type.String(),
  parts: Shape({ database: Part, ffmpeg: Part, worker: Part, disk: Part }),
});
export type HealthReport = Static<typeof HealthReport>;
