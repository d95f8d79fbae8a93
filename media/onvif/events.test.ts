import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '#media/log.ts';
import { openDevice } from './device.ts';
import type { OnvifEvent } from './events.ts';
import { servicesAnswer, startTestDevice, type TestDevice } from './test-device.ts';

const open: TestDevice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((device) => device.close()));
});

const NS =
  'xmlns:tev="http://www.onvif.org/ver10/events/wsdl" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:wsa="http://www.w3.org/2005/08/addressing"';

const message = (state: string, at: number, operation = 'Changed'): string =>
  '<wsnt:NotificationMessage><wsnt:Topic Dialect="d">tns1:VideoSource/tnsx:MotionAlarm</wsnt:Topic><wsnt:Message>' +
  `<tt:Message UtcTime="${new Date(at).toISOString()}" PropertyOperation="${operation}"><tt:Source><tt:SimpleItem Name="Source" Value="src0"/></tt:Source>` +
  `<tt:Data><tt:SimpleItem Name="State" Value="${state}"/><tt:SimpleItem Name="__proto__" Value="x"/></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>`;

const SKEW = 3_000_000;

async function start(): Promise<{ device: TestDevice; pulls: string[] }> {
  const pulls: string[] = [];
  const device = await startTestDevice({ auth: 'ws', skewMs: SKEW });
  open.push(device);
  Object.assign(device.answers, {
    GetServices: servicesAnswer({
      'http://www.onvif.org/ver10/events/wsdl': `${device.origin}/events`,
      'http://www.onvif.org/ver10/media/wsdl': `${device.origin}/m`,
    }),
    CreatePullPointSubscription: () =>
      `<tev:CreatePullPointSubscriptionResponse ${NS}><tev:SubscriptionReference><wsa:Address>http://192.168.1.64/pull?id=4</wsa:Address>` +
      '<wsa:ReferenceParameters><dom0:SubscriptionId xmlns:dom0="urn:axis">17</dom0:SubscriptionId></wsa:ReferenceParameters></tev:SubscriptionReference></tev:CreatePullPointSubscriptionResponse>',
    PullMessages: () => `<tev:PullMessagesResponse ${NS}>${pulls.shift() ?? ''}</tev:PullMessagesResponse>`,
    Renew: `<wsnt:RenewResponse ${NS}/>`,
    Unsubscribe: `<wsnt:UnsubscribeResponse ${NS}/>`,
  });
  return { device, pulls };
}

const login = { credentials: { username: 'admin', password: 'secret' } };

describe('events', () => {
  it('pulls, renews within the life, corrects the clock and the address, and unsubscribes at the end', async () => {
    const { device, pulls } = await start();
    const at = Date.UTC(2025, 5, 1, 8);
    pulls.push(message('true', at, 'Initialized') + message('false', at + 1_500));
    const stop = new AbortController();
    const seen: OnvifEvent[] = [];
    let isRefilled = false;
    const camera = openDevice({ xaddr: device.xaddr, ...login }, { log: silentLog });
    for await (const event of camera.events({ signal: stop.signal, lifeMs: 10 })) {
      seen.push(event);
      if (seen.length === 2 && !isRefilled) {
        isRefilled = true;
        setTimeout(() => pulls.push(message('true', at + 9_000)), 100);
      }
      if (seen.length === 3) stop.abort();
    }
    const { skewMs } = await camera.getClock();
    expect(seen[0]).toEqual({
      topic: 'VideoSource/MotionAlarm',
      at: at - skewMs,
      operation: 'Initialized',
      source: { Source: 'src0' },
      data: Object.fromEntries([
        ['State', 'true'],
        ['__proto__', 'x'],
      ]),
    });
    expect(seen.map(({ at: when }) => (when ?? 0) + skewMs - at)).toEqual([0, 1_500, 9_000]);
    expect(device.operations()).toContain('Renew');
    expect(device.operations().at(-1)).toBe('Unsubscribe');
    const pull = device.requests.find(({ operation }) => operation === 'PullMessages');
    expect(pull?.path).toBe('/pull?id=4');
    expect(pull?.body).toContain('<SubscriptionId xmlns="urn:axis">17</SubscriptionId>');
  });

  it('subscribes again after the device lost the subscription', async () => {
    const { device, pulls } = await start();
    pulls.push('<oops');
    pulls.push(message('true', 0));
    const stop = new AbortController();
    for await (const event of openDevice({ xaddr: device.xaddr, ...login }, { log: silentLog }).events({
      signal: stop.signal,
    })) {
      expect(event.data['State']).toBe('true');
      stop.abort();
    }
    expect(device.operations().filter((name) => name === 'CreatePullPointSubscription')).toHaveLength(3);
  });

  it('gives up where waiting does not help', async () => {
    const { device } = await start();
    device.answers['GetServices'] = servicesAnswer({
      'http://www.onvif.org/ver10/media/wsdl': `${device.origin}/m`,
    });
    const events = openDevice({ xaddr: device.xaddr, ...login }, { log: silentLog }).events({
      signal: AbortSignal.timeout(5_000),
    });
    await expect(events.next()).rejects.toMatchObject({ code: 'not-supported' });
  });
});
