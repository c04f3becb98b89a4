// The one place that talks to the backend: cookies, CSRF token, one silent refresh, errors as ApiError.

export interface ApiErrorBody {
  code: string;
  message: string;
  hint?: string;
  request_id?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ApiErrorBody,
  ) {
    super(body.message);
    this.name = 'ApiError';
  }
}

const BASE = '/api/v1';

function cookie(name: string): string | undefined {
  const row = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`));
  return row?.slice(name.length + 1);
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const parsed = JSON.parse(text) as { error?: ApiErrorBody };
    if (parsed.error) return new ApiError(response.status, parsed.error);
  } catch {
    // Not ours: a proxy's page, or nothing at all.
  }
  return new ApiError(response.status, {
    code: 'unexpected',
    message: `the server answered ${response.status} ${response.statusText}`.trim(),
  });
}

async function send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  const csrf = cookie('pga_csrf');
  if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  try {
    return await fetch(BASE + path, init);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, { code: 'unreachable', message: 'the backend cannot be reached' });
  }
}

// Several requests may find the access token expired at once: they share one refresh. (Tabs do not: the backend gives
// those that ask at once the same next token.) Only a 401 says that the session has ended; a backend that restarts does
// not log anybody out.
let refreshing: Promise<boolean> | undefined;

function refresh(): Promise<boolean> {
  refreshing ??= send('POST', '/auth/refresh', undefined)
    .then(async (response) => {
      if (!response.ok && response.status !== 401) throw await errorOf(response);
      return response.ok;
    })
    .finally(() => {
      refreshing = undefined;
    });
  return refreshing;
}

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response = await send(method, path, body, signal);
  if (response.status === 401 && !path.startsWith('/auth/login') && (await refresh())) {
    response = await send(method, path, body, signal);
  }
  if (!response.ok) throw await errorOf(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const api = {
  get: <T>(path: string, signal?: AbortSignal) => request<T>('GET', path, undefined, signal),
  post: <T>(path: string, body?: unknown) => request<T>('POST', path, body),
};

// "a=1&b=2" of the members that are there.
export function queryString(parameters: Record<string, string | number | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) search.set(name, String(value));
  return search.toString();
}
