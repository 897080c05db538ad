/** Runs a command to its end; what goes wrong is said in a line, and the exit code tells. */
export async function end(command: () => Promise<void>): Promise<void> {
  try {
    await command();
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
