// The web interface in a real browser against the real programs. Run by tests/ui/test_browser.py, which starts them and
// sets API_URL, API_USER, API_PASSWORD; SCREENSHOT_DIR keeps pictures.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const { API_URL, API_USER, API_PASSWORD, SCREENSHOT_DIR } = process.env;

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

let browser;
let page;
const problems = [];

before(async () => {
  assert.ok(executablePath, 'chromium is not installed: make setup installs it');
  browser = await chromium.launch({ executablePath, args: FLAGS });
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    colorScheme: 'dark',
    viewport: { width: 1440, height: 1100 },
  });
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    // The first look at /auth/me without a session is a 401 that belongs to the game.
    if (message.type() === 'error' && !message.text().includes('401')) problems.push(`console: ${message.text()}`);
  });
});

after(async () => {
  await browser?.close();
});

async function picture(name) {
  if (SCREENSHOT_DIR) await page.screenshot({ path: `${SCREENSHOT_DIR}/${name}.png`, fullPage: true });
}

// Whether the canvas has anything but its background.
function isDrawn(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colors = new Set();
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 0) colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return colors.size > 3;
}

test('a wrong password is refused with its reason', async () => {
  await page.goto(`${API_URL}/`);
  await page.getByLabel('Login').fill(API_USER);
  await page.getByLabel('Password').fill('not-the-password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('login or password is wrong').waitFor();
  await picture('login-refused');
});

test('logging in by keyboard shows the servers', async () => {
  await page.getByLabel('Password').fill('');
  await page.getByLabel('Login').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.type(API_PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Servers', exact: true }).waitFor();
  await page.getByRole('link', { name: process.env.SERVER_NAME ?? 'main' }).waitFor();
  await page.locator('.badge.good').first().waitFor();
  await picture('servers');
});

test('a server has its charts and statements', async () => {
  await page.getByRole('link', { name: process.env.SERVER_NAME ?? 'main' }).click();
  await page.waitForURL(/\/servers\/\d+/);
  for (const title of ['Database load', 'Active sessions', 'Transactions', 'Cache hits', 'CPU of the host']) {
    const canvas = page.getByRole('region', { name: title }).locator('canvas');
    await canvas.waitFor();
    await page.waitForFunction(isDrawn, await canvas.elementHandle());
  }
  await page.getByRole('region', { name: 'Statements' }).locator('tbody tr').first().waitFor();
  await picture('server-dark');
});

test('a preset and the order of statements stand in the URL and survive a reload', async () => {
  await page.getByRole('button', { name: '15 min' }).click();
  await page.waitForURL(/from=-15m/);
  await page.getByRole('button', { name: /^Calls/ }).click();
  await page.waitForURL(/order=calls/);
  await page.reload();
  assert.equal(await page.getByRole('button', { name: '15 min' }).getAttribute('aria-pressed'), 'true');
  await page.getByRole('columnheader', { name: /Calls/ }).waitFor();
  assert.equal(await page.getByRole('columnheader', { name: /Calls/ }).getAttribute('aria-sort'), 'descending');
});

test('brushing a chart sets the range of the page', async () => {
  const over = page.getByRole('region', { name: 'Transactions' }).locator('.u-over');
  await over.waitFor();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 50, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=20\d\d-/);
  assert.equal(await page.getByRole('button', { name: '15 min' }).getAttribute('aria-pressed'), 'false');
});

test('light colours', async () => {
  await page.getByRole('button', { name: '1 h', exact: true }).click();
  await page.getByRole('button', { name: 'Switch to light colours' }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
  await page.getByRole('region', { name: 'Transactions' }).locator('canvas').waitFor();
  await picture('server-light');
});

test('a server that does not exist is said', async () => {
  await page.goto(`${API_URL}/servers/999999`);
  await page.getByRole('alert').getByRole('link', { name: 'All servers' }).waitFor();
});

test('logging out leads back to the login form', async () => {
  await page.goto(`${API_URL}/`);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('You are logged out.').waitFor();
  await page.getByLabel('Password').waitFor();
});

test('nothing went wrong in the console', () => {
  assert.deepEqual(
    problems.filter((problem) => !problem.includes('404')),
    [],
  );
});
