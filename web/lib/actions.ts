import type { Component } from 'svelte';
import type { LucideProps } from '@lucide/svelte';

/** An icon of the set: `import House from '@lucide/svelte/icons/house'`. */
export type Icon = Component<LucideProps>;

/** Something a person can do, defined once and offered by buttons, menus, map and keyboard alike. */
export interface Action {
  readonly id: string;
  /** Read on every render, so that it follows the language. */
  readonly title: () => string;
  readonly icon: Icon;
  /** False hides it: the person's role or the thing's state does not allow it. */
  readonly isVisible?: boolean;
  /** Why it cannot be done now; shown as the tooltip of a disabled control. */
  readonly disabledReason?: string | undefined;
  readonly isDanger?: boolean;
  readonly run: () => void | Promise<void>;
}

/** Those of `actions` a person may see. */
export function visibleActions(actions: readonly Action[]): readonly Action[] {
  return actions.filter((action) => action.isVisible ?? true);
}
