import type { Reporter, TestModule } from 'vitest/node';

/** Says in one line how many tests there were. */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string) => states.filter((each) => each === state).length;
    const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : '';
    console.log(`Tests: ${count('passed')} passed, ${count('failed')} failed${skipped}`);
  }
}
