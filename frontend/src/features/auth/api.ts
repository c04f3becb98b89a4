// Login, logout, who am I.
import { api } from '../../lib/api-client';

export interface User {
  id: string;
  login: string;
  role: 'admin' | 'editor' | 'viewer';
}

export const meQuery = {
  queryKey: ['me'],
  queryFn: ({ signal }: { signal: AbortSignal }) => api.get<User>('/auth/me', signal),
  retry: false,
  staleTime: Infinity,
};

export function login(credentials: { login: string; password: string }): Promise<{ user: User }> {
  return api.post<{ user: User }>('/auth/login', credentials);
}

export function logout(): Promise<void> {
  return api.post('/auth/logout');
}
