// Loaded into a node of a fault run: with each SIGUSR2 its clock jumps an hour forth, or back again.
const hour = 3_600_000;
const Original = Date;
let shift = 0;

globalThis.Date = class extends Original {
  constructor(...parameters) {
    super(...(parameters.length === 0 ? [Original.now() + shift] : parameters));
  }

  static now() {
    return Original.now() + shift;
  }
};

process.on('SIGUSR2', () => {
  shift = shift === 0 ? hour : shift > 0 ? -hour : 0;
});
