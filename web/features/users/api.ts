import type { NewUser, User, UserChange } from '#api/auth/schema.ts';
import { api } from '../../lib/api.ts';

/** Everybody who has or had access. @throws ApiError */
export function listUsers(signal?: AbortSignal): Promise<User[]> {
  return api.get<User[]>('/api/users', {}, signal);
}

/** @throws ApiError `user.name-taken`, `auth.password-weak` */
export function createUser(user: NewUser): Promise<User> {
  return api.post<User>('/api/users', user);
}

/** @throws ApiError `auth.last-admin`, `auth.password-weak` */
export function changeUser(id: string, change: UserChange): Promise<User> {
  return api.patch<User>(`/api/users/${encodeURIComponent(id)}`, change);
}
