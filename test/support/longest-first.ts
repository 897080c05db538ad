import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** They wait more than they compute, and what begins last is not to be waited for at the end. */
const longest = [
  'faults/troubles',
  'spine/delivery',
  'process/server',
  'spine/nodes',
  'spine/position',
  'spine/closing',
  'conformance/buses',
  'models/watch',
];

/** Starts what is known to take long before all else. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index === -1 ? longest.length : index;
    };
    return sorted.sort((one, other) => place(one) - place(other));
  }
}
