import { setTimeout as delay } from 'node:timers/promises';
import { isMediaError, MediaError } from '#media/errors.ts';
import type { DeviceContext } from './context.ts';
import { NAMESPACES } from './namespaces.ts';
import { attribute, escapeXml, find, findAll, list, text, type XmlNode } from './xml.ts';

/** One notification. `at` is our time (device time less the measured skew); undefined if the device gave none. */
export interface OnvifEvent {
  /** Topic path without prefixes: `VideoSource/MotionAlarm`. */
  topic: string;
  at?: number;
  /** 'Initialized' is the state at subscription, not something that happened. */
  operation?: 'Initialized' | 'Changed' | 'Deleted';
  source: Readonly<Record<string, string>>;
  data: Readonly<Record<string, string>>;
}

export interface EventOptions {
  signal: AbortSignal;
  /** How long the device may hold one pull open. Default 20 s. */
  pullMs?: number;
  /** Life asked for at the device; renewed at half of it. Default 60 s. */
  lifeMs?: number;
}

/**
 * The device's events by pull point, until `signal` is aborted (then it ends without an error and unsubscribes).
 * A subscription that is lost (restart, network, expiry) is made anew after 1 s, doubling to 30 s; events in between are lost, and the
 * device sends its states again as 'Initialized'.
 * @throws MediaError 'unauthorized' | 'locked' | 'not-supported', which waiting does not mend
 */
export async function* pullEvents(
  context: DeviceContext,
  options: EventOptions,
): AsyncGenerator<OnvifEvent, void, void> {
  const { signal } = options;
  let waitMs = 1_000;
  while (!signal.aborted) {
    let point: PullPoint | undefined;
    try {
      point = await createPullPoint(context, options);
      while (!signal.aborted) {
        await point.renewIfDue();
        const events = await point.pull();
        waitMs = 1_000;
        yield* events;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isMediaError(error, 'unauthorized', 'locked', 'not-supported')) throw error;
      context.log.info(
        { error: (error as Error).message, waitMs },
        'event subscription lost, subscribing again',
      );
    } finally {
      await point?.unsubscribe();
    }
    // An aborted wait is how the caller ends this; the loop's condition then does.
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, 30_000);
  }
}

interface PullPoint {
  pull(): Promise<OnvifEvent[]>;
  renewIfDue(): Promise<void>;
  unsubscribe(): Promise<void>;
}

const WSNT = 'http://docs.oasis-open.org/wsn/b-2';
const WSA = 'http://www.w3.org/2005/08/addressing';
const EVENTS = NAMESPACES.tev;

/** Source: ONVIF Core specification 9.1 (pull point), WS-BaseNotification 1.3 (renew, unsubscribe), WS-Addressing 1.0 (headers). */
async function createPullPoint(
  context: DeviceContext,
  { signal, pullMs = 20_000, lifeMs = 60_000 }: EventOptions,
): Promise<PullPoint> {
  const { soap } = context;
  // Asking the clock first makes both the log-in and the event times right.
  await context
    .clock()
    .catch((error: unknown) =>
      context.log.debug({ error: (error as Error).message }, 'no device time for events'),
    );
  const { events } = await context.services();
  if (events === undefined) throw new MediaError('not-supported', 'the device offers no events service');
  const life = `PT${Math.ceil(lifeMs / 1000)}S`;
  const created = await soap.call({
    xaddr: events,
    operation: 'CreatePullPointSubscription',
    action: `${EVENTS}/EventPortType/CreatePullPointSubscriptionRequest`,
    header: addressing(`${EVENTS}/EventPortType/CreatePullPointSubscriptionRequest`, events),
    body: `<tev:CreatePullPointSubscription xmlns:tev="${EVENTS}"><tev:InitialTerminationTime>${life}</tev:InitialTerminationTime></tev:CreatePullPointSubscription>`,
    signal,
  });
  const reference = find(created, 'SubscriptionReference');
  const announced = text(reference, 'Address');
  const address = announced === undefined ? undefined : context.correct(announced, 'http')?.uri;
  if (address === undefined)
    throw new MediaError('protocol', 'the device gave no usable address for its events');
  const parameters = find(reference, 'ReferenceParameters')?.children.map(serialise).join('') ?? '';
  let renewAt = Date.now() + lifeMs / 2;

  const ask = (
    operation: string,
    action: string,
    body: string,
    limits: { deadlineMs?: number; signal?: AbortSignal },
  ) =>
    soap.call({
      xaddr: address,
      operation,
      action,
      header: addressing(action, address) + parameters,
      body,
      ...limits,
    });

  return {
    async pull() {
      const answer = await ask(
        'PullMessages',
        `${EVENTS}/PullPointSubscription/PullMessagesRequest`,
        `<tev:PullMessages xmlns:tev="${EVENTS}"><tev:Timeout>PT${Math.ceil(pullMs / 1000)}S</tev:Timeout><tev:MessageLimit>100</tev:MessageLimit></tev:PullMessages>`,
        { deadlineMs: pullMs + context.deadlineMs, signal },
      );
      return list(answer, 'NotificationMessage')
        .slice(0, 1000)
        .map((message) => eventOf(message, soap.skewMs));
    },
    async renewIfDue() {
      if (Date.now() < renewAt) return;
      renewAt = Date.now() + lifeMs / 2;
      try {
        await ask(
          'Renew',
          'http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest',
          `<wsnt:Renew xmlns:wsnt="${WSNT}"><wsnt:TerminationTime>${life}</wsnt:TerminationTime></wsnt:Renew>`,
          { signal },
        );
      } catch (error) {
        // PullMessages itself keeps a pull point alive on devices that do not implement Renew (Core 9.1.2).
        if (!isMediaError(error, 'not-supported', 'rejected')) throw error;
        context.log.debug({ error: error.message }, 'the device does not renew event subscriptions');
      }
    },
    async unsubscribe() {
      try {
        await ask(
          'Unsubscribe',
          'http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest',
          `<wsnt:Unsubscribe xmlns:wsnt="${WSNT}"/>`,
          { deadlineMs: 2_000 },
        );
      } catch (error) {
        // It runs out by itself within its life.
        context.log.debug({ error: (error as Error).message }, 'could not end the event subscription');
      }
    },
  };
}

const addressing = (action: string, to: string): string =>
  `<wsa:Action xmlns:wsa="${WSA}">${action}</wsa:Action><wsa:To xmlns:wsa="${WSA}">${escapeXml(to)}</wsa:To>`;

/** Reference parameters must come back in each request's header as they were given (WS-Addressing 1.0 SOAP binding 2.1). */
function serialise(node: XmlNode): string {
  const name = /^[\w.-]{1,100}$/.test(node.name) ? node.name : 'p';
  const namespace = node.namespace === undefined ? '' : ` xmlns="${escapeXml(node.namespace)}"`;
  const inner = node.children.length > 0 ? node.children.map(serialise).join('') : escapeXml(node.text);
  return `<${name}${namespace}>${inner}</${name}>`;
}

/** Reads one NotificationMessage; `skewMs` turns its device time into ours. */
export function eventOf(message: XmlNode, skewMs: number): OnvifEvent {
  const inner = find(message, 'Message', 'Message');
  const utc = Date.parse(attribute(inner, 'UtcTime') ?? '');
  const operation = attribute(inner, 'PropertyOperation');
  return {
    topic: (text(message, 'Topic') ?? '').replace(/[\w.-]+:/g, '').slice(0, 300),
    at: Number.isNaN(utc) ? undefined : utc - skewMs,
    operation:
      operation === 'Initialized' || operation === 'Changed' || operation === 'Deleted'
        ? operation
        : undefined,
    source: itemsOf(find(inner, 'Source')),
    data: itemsOf(find(inner, 'Data')),
  };
}

/** `Object.fromEntries` defines own properties, so an item named `__proto__` is only a key. */
function itemsOf(node: XmlNode | undefined): Record<string, string> {
  return Object.fromEntries(
    findAll(node, 'SimpleItem').map((item) => [
      attribute(item, 'Name') ?? '',
      item.attributes.get('Value') ?? '',
    ]),
  );
}
