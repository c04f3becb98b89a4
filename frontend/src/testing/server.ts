// The backend of component tests. Answers have the shapes of docs/api.md.
import { http, HttpResponse } from 'msw';
import { setupServer } from 'msw/node';

export const server = setupServer();

export function answer(method: 'get' | 'post', path: string, body: object, status = 200) {
  return http[method](`*/api/v1${path}`, () => HttpResponse.json(body as Record<string, unknown>, { status }));
}

export function failure(method: 'get' | 'post', path: string, status: number, code: string, message: string) {
  return answer(method, path, { error: { code, message, request_id: 'r-1' } }, status);
}
