import { toast } from 'svelte-sonner';
import { m } from '../paraglide/messages.js';
import { isAbort, toApiError } from './api.ts';

/** Says briefly that something worked. */
export function showDone(text: string): void {
  toast.success(text);
}

/** Says something worth knowing that needs no answer. */
export function showNotice(text: string): void {
  toast.warning(text);
}

/** Says what failed, in the server's words, with the request number an engineer can look up for failures of the server itself. */
export function showFailure(error: unknown): void {
  if (isAbort(error)) return;
  const failure = toApiError(error);
  const isServersFault = failure.status >= 500 && failure.requestId !== null;
  toast.error(failure.message, {
    duration: 10_000,
    ...(isServersFault ? { description: m.common_request_number({ number: failure.requestId ?? '' }) } : {}),
  });
}
