import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Compile } from 'typebox/compile';
import { can } from '#api/auth/permissions.ts';
import { AppError } from '#api/errors.ts';
import { principalOf, type Authenticate } from '#api/http/guard.ts';
import type { EventBus, NumberedEvent } from './bus.ts';
import { ClientMessage, eventPermission, type SocketMessage } from './schema.ts';

const checkClientMessage = Compile(ClientMessage);
const pingIntervalMs = 20_000;
const sessionCheckIntervalMs = 15_000;
const maxBufferedBytes = 4_000_000;

export interface EventRoutesOptions {
  readonly bus: EventBus;
  readonly authenticate: Authenticate;
  /** Subscribes to changes of sessions, so that a log-out closes its sockets at once. @returns the end of the subscription */
  readonly onSessionsChanged: (listener: () => void) => () => void;
}

/**
 * `GET /api/events` (WebSocket): the client says where it was (`resume`), the server sends what was missed and then every event that the
 * person's role may know. A client that reads too slowly is cut off and comes back by `resume`; a session that ended closes its sockets.
 */
export function registerEventRoutes(
  app: FastifyInstance,
  { bus, authenticate, onSessionsChanged }: EventRoutesOptions,
): void {
  app.get(
    '/api/events',
    { websocket: true, preValidation: refuseOtherOrigins, config: { permission: 'self' } },
    (socket, request) => {
      const { role } = principalOf(request);
      const send = (message: SocketMessage) => {
        if (socket.bufferedAmount > maxBufferedBytes) socket.close(1013, 'too slow');
        else socket.send(JSON.stringify(message));
      };
      const deliver = ({ seq, event }: NumberedEvent) => {
        if (can(role, eventPermission[event.name])) send({ name: 'event', seq, event });
      };
      let unsubscribe: (() => void) | undefined;
      let isAlive = true;

      socket.on('message', (data: Buffer) => {
        let message: unknown;
        try {
          message = JSON.parse(data.toString('utf8'));
        } catch (error) {
          request.log.debug({ err: error }, 'a socket sent text that is no JSON');
        }
        if (!checkClientMessage.Check(message) || unsubscribe)
          return socket.close(1008, 'unexpected message');
        const { epoch, seq } = message;
        const missed = epoch === null || seq === null ? undefined : bus.since(epoch, seq);
        send({ name: 'hello', epoch: bus.epoch, seq: bus.lastSeq, isComplete: missed !== undefined });
        for (const entry of missed ?? []) deliver(entry);
        unsubscribe = bus.onAny(deliver);
      });
      socket.on('pong', () => {
        isAlive = true;
      });
      const ping = setInterval(() => {
        if (!isAlive) return socket.terminate();
        isAlive = false;
        socket.ping();
      }, pingIntervalMs);
      const checkSession = () => {
        authenticate(request, { isActivity: false }).then(
          (principal) => {
            if (!principal || principal.role !== role) socket.close(4401, 'session ended');
          },
          (error: unknown) => request.log.error({ err: error }, 'could not check a socket session'),
        );
      };
      const sessionCheck = setInterval(checkSession, sessionCheckIntervalMs);
      const endWatch = onSessionsChanged(checkSession);
      socket.on('close', () => {
        unsubscribe?.();
        endWatch();
        clearInterval(ping);
        clearInterval(sessionCheck);
      });
    },
  );
}

/** A page of another origin on the same host is "same site" to the browser, which then sends the cookie along; only the origin tells it apart. */
async function refuseOtherOrigins({ headers }: FastifyRequest): Promise<void> {
  const { origin, host } = headers;
  if (origin !== undefined && URL.parse(origin)?.host !== host) throw new AppError('auth.csrf');
}
