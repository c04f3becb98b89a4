import { http, HttpResponse } from 'msw';
import { describe, expect, it } from 'vitest';
import { failure, server } from '../testing/server';
import { api, ApiError, queryString } from './api-client';

describe('api', () => {
  it('refreshes once for several requests that find the session expired, and repeats them', async () => {
    let refreshes = 0;
    let fresh = false;
    server.use(
      http.post('*/api/v1/auth/refresh', () => {
        refreshes++;
        fresh = true;
        return HttpResponse.json({});
      }),
      http.get('*/api/v1/servers', () =>
        fresh
          ? HttpResponse.json({ servers: [] })
          : HttpResponse.json({ error: { code: 'token_expired', message: 'x' } }, { status: 401 }),
      ),
    );
    const answers = await Promise.all([api.get('/servers'), api.get('/servers'), api.get('/servers')]);
    expect(answers).toEqual([{ servers: [] }, { servers: [] }, { servers: [] }]);
    expect(refreshes).toBe(1);
  });

  it('does not take a backend that restarts for the end of the session', async () => {
    server.use(
      failure('get', '/servers', 401, 'token_expired', 'x'),
      failure('post', '/auth/refresh', 503, 'unavailable', 'the store is away'),
    );
    await expect(api.get('/servers')).rejects.toMatchObject({ status: 503, body: { code: 'unavailable' } });
    server.use(http.post('*/api/v1/auth/refresh', () => HttpResponse.error()));
    await expect(api.get('/servers')).rejects.toMatchObject({ status: 0, body: { code: 'unreachable' } });
    server.use(failure('post', '/auth/refresh', 401, 'token_invalid', 'the session has ended'));
    await expect(api.get('/servers')).rejects.toMatchObject({ status: 401, body: { code: 'token_expired' } });
  });

  it('sends the CSRF token with changes only', async () => {
    document.cookie = 'pga_csrf=secret';
    const seen: (string | null)[] = [];
    const note = ({ request }: { request: Request }) => {
      seen.push(request.headers.get('X-CSRF-Token'));
      return HttpResponse.json({});
    };
    server.use(http.get('*/api/v1/a', note), http.post('*/api/v1/a', note));
    await api.get('/a');
    await api.post('/a', {});
    expect(seen).toEqual([null, 'secret']);
  });

  it('turns an error body into an ApiError with code and request', async () => {
    server.use(failure('get', '/servers', 503, 'unavailable', 'the store is away'));
    const error = await api.get('/servers').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).body).toEqual({ code: 'unavailable', message: 'the store is away', request_id: 'r-1' });
  });

  it('says that the backend cannot be reached', async () => {
    server.use(http.get('*/api/v1/servers', () => HttpResponse.error()));
    await expect(api.get('/servers')).rejects.toMatchObject({ body: { code: 'unreachable' } });
  });

  it('has a message for an answer that is not ours', async () => {
    server.use(
      http.get('*/api/v1/servers', () => new HttpResponse('<html>', { status: 502, statusText: 'Bad Gateway' })),
    );
    await expect(api.get('/servers')).rejects.toThrow('the server answered 502 Bad Gateway');
  });
});

describe('queryString', () => {
  it('leaves out what is not there and escapes the rest', () =>
    expect(queryString({ a: 1, b: undefined, c: '{"x":"y z"}' })).toBe('a=1&c=%7B%22x%22%3A%22y+z%22%7D'));
});
