import KeyRound from '@lucide/svelte/icons/key-round';
import LockOpen from '@lucide/svelte/icons/lock-open';
import Pencil from '@lucide/svelte/icons/pencil';
import UserCheck from '@lucide/svelte/icons/user-check';
import UserX from '@lucide/svelte/icons/user-x';
import type { User, UserChange } from '#api/auth/schema.ts';
import type { Action } from '../../lib/actions.ts';
import { askToConfirm } from '../../lib/confirm.svelte.ts';
import { session } from '../../lib/session.svelte.ts';
import { showDone } from '../../lib/toast.ts';
import { m } from '../../paraglide/messages.js';
import { changeUser } from './api.ts';

interface Asked {
  readonly onEdit: (user: User) => void;
  readonly onResetPassword: (user: User) => void;
  readonly onChanged: () => Promise<void>;
}

/** What an administrator can do with `user`. Nobody can lock themselves out. */
export function userActions(user: User, { onEdit, onResetPassword, onChanged }: Asked): Action[] {
  const isVisible = session.can('users.edit');
  const isSelf = user.id === session.current?.userId;
  async function change(change: UserChange, done: string) {
    await changeUser(user.id, change);
    showDone(done);
    await onChanged();
  }
  return [
    { id: 'edit', title: m.users_edit, icon: Pencil, isVisible, run: () => onEdit(user) },
    {
      id: 'password',
      title: m.users_reset_password,
      icon: KeyRound,
      isVisible,
      disabledReason: isSelf ? m.users_own_password_hint() : undefined,
      run: () => onResetPassword(user),
    },
    {
      id: 'unlock',
      title: m.users_unlock,
      icon: LockOpen,
      isVisible: isVisible && user.isLocked,
      run: () => change({ isLocked: false }, m.users_unlocked({ name: user.displayName })),
    },
    {
      id: 'enable',
      title: m.users_enable,
      icon: UserCheck,
      isVisible: isVisible && !user.isActive,
      run: () => change({ isActive: true }, m.users_enabled({ name: user.displayName })),
    },
    {
      id: 'disable',
      title: m.users_disable,
      icon: UserX,
      isVisible: isVisible && user.isActive,
      isDanger: true,
      disabledReason: isSelf ? m.users_not_oneself() : undefined,
      async run() {
        const isSure = await askToConfirm({
          title: m.users_disable_title({ name: user.displayName }),
          body: m.users_disable_body(),
          confirmLabel: m.users_disable(),
          isDanger: true,
        });
        if (isSure) await change({ isActive: false }, m.users_disabled({ name: user.displayName }));
      },
    },
  ];
}
