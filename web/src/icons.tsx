const paths = {
  bell: 'M12 3a6 6 0 0 0-6 6v3.6L4.4 16a1 1 0 0 0 .9 1.5h13.4a1 1 0 0 0 .9-1.5L18 12.6V9a6 6 0 0 0-6-6Zm-2.4 16.5a2.5 2.5 0 0 0 4.8 0',
  cut: 'M6.500 5a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Zm0 9a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5ZM8.500 9 20 18M8.500 15 20 6',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  checks: 'm2.5 12.5 4.5 4.5L16 8m-4.5 7.5L13 17l9-9',
  hash: 'M9.5 4 7.5 20m9-16-2 16M4.5 9h16m-17 6h16',
  lock: 'M6.5 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1Zm2-.2V8a3.5 3.5 0 0 1 7 0v2.8',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z',
  pencil: 'm4.5 19.5 1-4L16 5a2.1 2.1 0 0 1 3 3L8.500 18.500l-4 1Z',
  plug: 'M9 3v4m6-4v4M6.500 7h11v4a5.500 5.500 0 0 1-11 0V7ZM12 16.500V21',
  plus: 'M12 5v14M5 12h14',
  send: 'M4 12 20 4.500 14.500 20l-3-6.500L4 12Zm7.500 1.500L20 4.500',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-5v2m0 14v2M3 12h2m14 0h2M5.600 5.600 7 7m10 10 1.400 1.400m0-12.800L17 7M7 17l-1.400 1.400',
  trash: 'M5 7h14M10 7V4.500h4V7m-7.500 0 .8 12.500h9.400L17.500 7M10.500 11v5m3-5v5',
  users:
    'M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Zm-6 8a6 6 0 0 1 12 0m.500-8a3.500 3.500 0 0 0 0-7m2.500 9.500a6 6 0 0 1 3 5.500',
  wave: 'M3 12h3l2.500-6 4 12 3-9 1.500 3h4',
  x: 'm6 6 12 12M18 6 6 18',
} as const;

export type IconName = keyof typeof paths;

/** A drawing beside words: it is never read out. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
