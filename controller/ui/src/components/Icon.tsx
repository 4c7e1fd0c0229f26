/** Decoration beside a word, or inside a button that has a label: hidden from screen readers. */
export function Icon({ path, size = 16 }: { readonly path: string; readonly size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      style={{ flexShrink: 0 }}
    >
      <path d={path} />
    </svg>
  );
}

/** The mark: a trunk with its trained branches. */
export function Brand() {
  return (
    <span style={{ color: 'var(--accent)', display: 'inline-flex' }}>
      <Icon path="M12 22V3M12 8H5V4M12 8h7V4M12 15H3v-4M12 15h9v-4" size={22} />
    </span>
  );
}
