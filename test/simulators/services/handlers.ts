import type { SimDevice } from '../device.ts';
import type { Node, Xml } from '../xml.ts';

/** One call: the device asked, the operation's element, and the path with query it came in on. */
export interface Call {
  device: SimDevice;
  body: Node;
  path: string;
}

/** Operations of one service by name; each returns the response element. */
export type Handlers = Readonly<Record<string, (call: Call) => Xml | Promise<Xml>>>;
