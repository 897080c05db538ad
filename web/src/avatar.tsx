/** Initials on a colour of their own; the name is read out only where nothing beside it says it. */
export function Avatar({ id, name, size = 'm', isNamed = false }: AvatarProps) {
  const initials = name
    .split(/\s+/)
    .map(([first]) => first ?? '')
    .join('')
    .slice(0, 2)
    .toUpperCase();
  return (
    <span
      className={`avatar avatar-${size} tone-${toneOf(id)}`}
      {...(isNamed ? { role: 'img', 'aria-label': name } : { 'aria-hidden': true })}
    >
      {initials}
    </span>
  );
}

const tones = 6;

function toneOf(id: string): number {
  let sum = 0;
  for (const char of id) sum = (sum * 25 + char.charCodeAt(0)) % 9973;
  return sum % tones;
}

interface AvatarProps {
  readonly id: string;
  readonly name: string;
  readonly size?: 's' | 'm' | 'l';
  readonly isNamed?: boolean;
}
