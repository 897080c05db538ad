import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';

/** What a person sees and does at one desk of the demo. */
export class DeskOnPage {
  readonly root: Locator;

  constructor(page: Page, name: string) {
    this.root = page.getByRole('region', { name: `${name}'s desk` });
  }

  /** Until it is live. */
  async ready(): Promise<this> {
    await this.root.getByText(/Live over/).waitFor();
    await this.root.locator('.message').first().waitFor();
    return this;
  }

  async say(body: string): Promise<void> {
    const box = this.root.getByRole('textbox', { name: /^Message to/ });
    await box.fill(body);
    await box.press('Enter');
  }

  async sees(body: string): Promise<void> {
    await this.root.locator('.message-body', { hasText: body }).first().waitFor();
  }

  /** The texts of all messages, oldest first. */
  messages(): Promise<string[]> {
    return this.root.locator('.message-body').allTextContents();
  }

  cut(): Promise<void> {
    return this.root.getByRole('button', { name: 'Cut the wire' }).click();
  }

  mend(): Promise<void> {
    return this.root.getByRole('button', { name: 'Mend the wire' }).click();
  }

  /** One of the numbers under the desk. */
  async figure(name: 'received' | 'missed' | 'repeated'): Promise<number> {
    return Number(await this.root.locator(`[data-figure="${name}"] dd`).textContent());
  }

  /** Nothing missing and nothing double, by what the page has counted itself, and looked at after the last return. */
  async isWhole(received: number): Promise<void> {
    await eventually(async () => expect(await this.figure('received')).toBe(received));
    await eventually(async () =>
      expect(await this.root.locator('.figure-checked dd').textContent()).toMatch(/ago|just now/),
    );
    expect(await this.figure('missed')).toBe(0);
    expect(await this.figure('repeated')).toBe(0);
    const messages = await this.messages();
    expect(new Set(messages).size).toBe(messages.length);
  }

  /** What the bell says. */
  async badge(): Promise<number> {
    const label = await this.bell().getAttribute('aria-label');
    return Number(/\d+/.exec(label ?? '')?.[0] ?? 0);
  }

  bell(): Locator {
    return this.root.getByRole('button', { name: /^Inbox/ });
  }

  inbox(): Locator {
    return this.root.getByRole('dialog', { name: 'Inbox' });
  }

  task(title: string): Locator {
    return this.root
      .getByRole('row')
      .filter({ has: this.root.page().getByRole('button', { name: `Edit ${title}` }) });
  }
}
