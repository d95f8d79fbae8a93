import type { FastifyInstance } from 'fastify';
import { Compile } from 'typebox/compile';
import { can } from '#api/auth/permissions.ts';
import { principalOf, type Authenticate } from '#api/http/guard.ts';
import type { EventBus, NumberedEvent } from './bus.ts';
import { ClientMessage, eventPermission, type SocketMessage } from './schema.ts';

const checkClientMessage = Compile(ClientMessage);
const pingIntervalMs = 20_000;
const sessionCheckIntervalMs = 15_000;
const maxBufferedBytes = 4_000_000;

/**
 * `GET /api/events` (WebSocket): the client says where it was (`resume`), the server sends what was missed and then every event that the
 * person's role may know. A client that reads too slowly is cut off and comes back by `resume`; a session that ended closes its sockets.
 */
export function registerEventRoutes(
  app: FastifyInstance,
  { bus, authenticate }: { bus: EventBus; authenticate: Authenticate },
): void {
  app.get('/api/events', { websocket: true, config: { permission: 'self' } }, (socket, request) => {
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
      if (!checkClientMessage.Check(message) || unsubscribe) return socket.close(1008, 'unexpected message');
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
    const sessionCheck = setInterval(() => {
      authenticate(request).then(
        (principal) => {
          if (!principal || principal.role !== role) socket.close(4401, 'session ended');
        },
        (error: unknown) => request.log.error({ err: error }, 'could not check a socket session'),
      );
    }, sessionCheckIntervalMs);
    socket.on('close', () => {
      unsubscribe?.();
      clearInterval(ping);
      clearInterval(sessionCheck);
    });
  });
}
