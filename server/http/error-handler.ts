import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify';
import { AppError, errorRegistry, isRetryable, type ErrorCode } from '#api/errors.ts';
import { isMediaError, type MediaErrorCode } from '#media/errors.ts';
import type { ErrorBody } from './schema.ts';

const codeOfMedia: Readonly<Record<MediaErrorCode, ErrorCode>> = {
  unreachable: 'device.unreachable',
  timeout: 'device.unreachable',
  unauthorized: 'device.unauthorized',
  locked: 'device.locked',
  protocol: 'device.bad-answer',
  'too-large': 'device.bad-answer',
  'not-supported': 'device.not-supported',
  rejected: 'device.bad-answer',
  'no-media': 'channel.no-picture',
  'bad-output': 'export.failed',
  'no-space': 'storage.full',
  'tool-missing': 'internal',
  cancelled: 'unavailable',
  internal: 'internal',
};

/** Any failure as the registered error that the client is told. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isMediaError(error)) return new AppError(codeOfMedia[error.code], undefined, { cause: error });
  const { validation, statusCode, validationContext } = error as Partial<FastifyError>;
  if (validation)
    return new AppError('request.invalid', {
      where: validationContext,
      fields: validation.map(({ instancePath, message, keyword, params }) => ({
        path: instancePath,
        problem: message,
        rule: keyword,
        ...(typeof params.limit === 'number' ? { limit: params.limit } : {}),
      })),
    });
  if (statusCode === 413) return new AppError('request.too-large');
  if (statusCode === 429) return new AppError('request.rate-limited');
  if (statusCode === 404) return new AppError('not-found');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new AppError('request.invalid', { problem: (error as Error).message });
  return new AppError('internal', undefined, { cause: error });
}

/** The sentence of `code` in the language the request prefers; Chinese unless English is asked for first. */
export function messageFor(code: ErrorCode, request: Pick<FastifyRequest, 'headers'>): string {
  const isEnglish = /^\s*en\b/i.test(request.headers['accept-language'] ?? '');
  return errorRegistry[code][isEnglish ? 'en' : 'zh'];
}

/** Answers every failure as {@link ErrorBody}; 5xx go to the log with their cause, never to the client. */
export function installErrorHandler(app: FastifyInstance): void {
  const bodyOf = (error: AppError, request: FastifyRequest): ErrorBody => ({
    code: error.code,
    message: messageFor(error.code, request),
    requestId: request.id,
    isRetryable: isRetryable(error.code),
    ...(error.details === undefined ? {} : { details: { ...error.details } }),
  });
  app.setErrorHandler((error, request, reply) => {
    const known = toAppError(error);
    if (known.status >= 500) request.log.error({ err: error, code: known.code }, 'request ended in an error');
    return reply.status(known.status).send(bodyOf(known, request));
  });
  app.setNotFoundHandler((request, reply) => {
    const known = new AppError('not-found');
    return reply.status(known.status).send(bodyOf(known, request));
  });
}
