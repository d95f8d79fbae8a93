import { connect, type Socket } from 'node:net';
import { MediaError } from '../errors.ts';

/**
 * Opens a TCP connection. The caller destroys the socket.
 * @throws MediaError `unreachable` (refused, no route, name unknown), `timeout`, `cancelled`
 */
export function openTcp(options: {
  host: string;
  port: number;
  deadlineMs: number;
  signal?: AbortSignal;
}): Promise<Socket> {
  const { host, port, deadlineMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const finish = (error?: MediaError) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      if (!error) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(error);
    };
    const onAbort = () => finish(new MediaError('cancelled', 'the connection attempt was cancelled'));
    const onError = (error: NodeJS.ErrnoException) =>
      finish(
        error.code === 'ETIMEDOUT'
          ? new MediaError('timeout', `${host}:${port} did not answer`)
          : new MediaError('unreachable', `${host}:${port}: ${error.code ?? error.message}`, {
              reason: error.code,
            }),
      );
    const timer = setTimeout(
      () => finish(new MediaError('timeout', `${host}:${port} did not answer in ${deadlineMs} ms`)),
      deadlineMs,
    );
    socket.once('connect', () => finish());
    socket.once('error', onError);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
