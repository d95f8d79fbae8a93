import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimDevice } from '../device.ts';
import { isoTime, SoapFault } from '../soap.ts';
import { textAt, xml, Xml } from '../xml.ts';
import type { Handlers } from './handlers.ts';

/** Somebody passes each camera so long out of every period; cameras are shifted against each other. */
const MOTION_PERIOD_MS = 12_000;
const MOTION_LENGTH_MS = 4_000;
const DEFAULT_LIFE_MS = 60_000;
const MAX_LIFE_MS = 600_000;
const MAX_PULL_MS = 20_000;
const MAX_SUBSCRIPTIONS = 8;
const POLL_MS = 50;

interface Subscription {
  endsAt: number;
  /** State last told, by channel number; absent before the first message about it. */
  told: Map<number, boolean>;
}

/** Whether the camera's motion detector is on at `at` (epoch ms). */
export function hasMotion(channelNumber: number, at: number): boolean {
  return (at + channelNumber * 1_700) % MOTION_PERIOD_MS < MOTION_LENGTH_MS;
}

/** `PT1M30S` or an instant, as milliseconds from `nowAt`; undefined when it is neither. */
function lifeMs(text: string, nowAt: number): number | undefined {
  const m = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$/.exec(text);
  if (m) return (Number(m[1] ?? 0) * 3600 + Number(m[2] ?? 0) * 60 + Number(m[3] ?? 0)) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - nowAt;
}

function life(text: string | undefined, nowAt: number): number {
  if (text === undefined) return DEFAULT_LIFE_MS;
  const wanted = lifeMs(text, nowAt);
  if (wanted === undefined || wanted <= 0) {
    throw new SoapFault('Sender', ['wsnt:UnacceptableInitialTerminationTimeFault'], `No such time: ${text}`);
  }
  return Math.min(wanted, MAX_LIFE_MS);
}

function notification(device: SimDevice, number: number, isMotion: boolean, operation: string): Xml {
  const source = `VideoSource_${number}`;
  return xml`<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">tns1:VideoSource/MotionAlarm</wsnt:Topic><wsnt:Message><tt:Message UtcTime="${isoTime(device.clockAt())}" PropertyOperation="${operation}"><tt:Source><tt:SimpleItem Name="Source" Value="${source}"/></tt:Source><tt:Data><tt:SimpleItem Name="State" Value="${String(isMotion)}"/></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>`;
}

const all = new WeakMap<SimDevice, Map<string, Subscription>>();

function subscriptions(device: SimDevice): Map<string, Subscription> {
  let map = all.get(device);
  if (!map) {
    map = new Map();
    all.set(device, map);
  }
  for (const [id, one] of map) if (one.endsAt < Date.now()) map.delete(id);
  return map;
}

function subscription(device: SimDevice, path: string): Subscription {
  const found = subscriptions(device).get(path.split('/').at(-1) ?? '');
  if (!found) throw new SoapFault('Sender', ['wsnt:ResourceUnknownFault'], 'The subscription has ended');
  return found;
}

const times = (device: SimDevice, one: Subscription): [string, string] => [
  isoTime(device.clockAt()),
  isoTime(one.endsAt + device.clockSkewMs()),
];

function news(device: SimDevice, one: Subscription, limit: number): Xml[] {
  const found: Xml[] = [];
  for (const { number } of device.spec.channels) {
    const state = hasMotion(number, Date.now());
    const before = one.told.get(number);
    if (before === state || found.length >= limit) continue;
    one.told.set(number, state);
    found.push(notification(device, number, state, before === undefined ? 'Initialized' : 'Changed'));
  }
  return found;
}

/** Pull points with motion alarms. Source: ONVIF Core §9.1 (real-time pull point); WS-BaseNotification 1.3 §6. */
export const eventHandlers: Handlers = {
  GetEventProperties: () =>
    xml`<tev:GetEventPropertiesResponse><tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</tev:TopicNamespaceLocation><wsnt:FixedTopicSet>true</wsnt:FixedTopicSet><wstop:TopicSet xmlns:wstop="http://docs.oasis-open.org/wsn/t-1"><tns1:VideoSource><MotionAlarm wstop:topic="true"><tt:MessageDescription IsProperty="true"><tt:Source><tt:SimpleItemDescription Name="Source" Type="tt:ReferenceToken"/></tt:Source><tt:Data><tt:SimpleItemDescription Name="State" Type="xs:boolean"/></tt:Data></tt:MessageDescription></MotionAlarm></tns1:VideoSource></wstop:TopicSet><wsnt:TopicExpressionDialect>http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet</wsnt:TopicExpressionDialect><tev:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter</tev:MessageContentFilterDialect><tev:MessageContentSchemaLocation>http://www.onvif.org/onvif/ver10/schema/onvif.xsd</tev:MessageContentSchemaLocation></tev:GetEventPropertiesResponse>`,
  CreatePullPointSubscription: ({ device, body }) => {
    const open = subscriptions(device);
    if (open.size >= MAX_SUBSCRIPTIONS) {
      throw new SoapFault('Receiver', ['wsnt:SubscribeCreationFailedFault'], 'Too many subscriptions');
    }
    const id = randomUUID();
    const wanted = life(textAt(body, 'InitialTerminationTime'), device.clockAt());
    const one: Subscription = { endsAt: Date.now() + wanted, told: new Map() };
    open.set(id, one);
    const [now, end] = times(device, one);
    return xml`<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa:Address>${device.baseUrl}/onvif/event_service/${id}</wsa:Address></tev:SubscriptionReference><wsnt:CurrentTime>${now}</wsnt:CurrentTime><wsnt:TerminationTime>${end}</wsnt:TerminationTime></tev:CreatePullPointSubscriptionResponse>`;
  },
  PullMessages: async ({ device, body, path }) => {
    const one = subscription(device, path);
    const limit = Math.max(1, Number(textAt(body, 'MessageLimit') ?? 1));
    const wait = Math.min(lifeMs(textAt(body, 'Timeout') ?? 'PT1S', device.clockAt()) ?? 1_000, MAX_PULL_MS);
    const untilAt = Date.now() + wait;
    let found = news(device, one, limit);
    while (found.length === 0 && Date.now() < untilAt) {
      await sleep(POLL_MS);
      found = news(device, one, limit);
    }
    one.endsAt = Math.max(one.endsAt, Date.now() + DEFAULT_LIFE_MS);
    const [now, end] = times(device, one);
    return xml`<tev:PullMessagesResponse><tev:CurrentTime>${now}</tev:CurrentTime><tev:TerminationTime>${end}</tev:TerminationTime>${found}</tev:PullMessagesResponse>`;
  },
  SetSynchronizationPoint: ({ device, path }) => {
    subscription(device, path).told.clear();
    return xml`<tev:SetSynchronizationPointResponse/>`;
  },
};

/** Renew and Unsubscribe, in WS-BaseNotification's own namespace. */
export const subscriptionHandlers: Handlers = {
  Renew: ({ device, body, path }) => {
    const one = subscription(device, path);
    one.endsAt = Date.now() + life(textAt(body, 'TerminationTime'), device.clockAt());
    const [now, end] = times(device, one);
    return xml`<wsnt:RenewResponse><wsnt:TerminationTime>${end}</wsnt:TerminationTime><wsnt:CurrentTime>${now}</wsnt:CurrentTime></wsnt:RenewResponse>`;
  },
  Unsubscribe: ({ device, path }) => {
    subscription(device, path);
    subscriptions(device).delete(path.split('/').at(-1)!);
    return xml`<wsnt:UnsubscribeResponse/>`;
  },
};
