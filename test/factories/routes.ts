import type { TestApp } from './app.ts';

export interface RegisteredRoute {
  readonly method: string;
  readonly url: string;
  readonly permission: string | undefined;
  readonly isPublic: boolean;
  /** Left out of the API description. */
  readonly isHidden: boolean;
  readonly isWebSocket: boolean;
}

/** Every route of a running app but the HEAD twins of GET routes, by method and path. */
export function registeredRoutes({ routes }: TestApp): RegisteredRoute[] {
  return routes
    .flatMap((route) =>
      [route.method].flat().map((method) => ({
        method,
        url: route.url,
        permission: route.config?.permission,
        isPublic: route.config?.isPublic === true,
        isHidden: (route.schema as { hide?: boolean } | undefined)?.hide === true,
        isWebSocket: (route as { websocket?: boolean }).websocket === true,
      })),
    )
    .filter((route) => route.method !== 'HEAD')
    .toSorted((a, b) => `${a.method} ${a.url}`.localeCompare(`${b.method} ${b.url}`));
}
