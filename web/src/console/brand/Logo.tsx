/** An oriel: a bay window projecting from a wall, lit from inside. */
export function Logo({ size = 36 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" focusable="false" className="logo">
      <rect x="1" y="1" width="30" height="30" rx="5" fill="#1d2b4f" />
      <path
        d="M2.5 9H6M2.5 15H5M2.5 21H6M26 9h3.5M27 15h2.5M26 21h3.5"
        stroke="#40568a"
        strokeWidth="1.5"
        strokeLinecap="round"
      />
      <path d="M7 9.4 11.6 5h8.8L25 9.4z" fill="#ffcf7d" />
      <path d="M7.5 10.6h4.2v10.2l-4.2-1.3z" fill="#6f9bff" />
      <path d="M12.7 10.6h6.6v10.5h-6.6z" fill="#cfe0ff" />
      <path d="M20.3 10.6h4.2v8.9l-4.2 1.3z" fill="#4f7df0" />
      <path d="M12.7 15.4h6.6" stroke="#1d2b4f" strokeWidth=".9" />
      <path d="m7.5 20.7 5 1.6h7l5-1.6-3.3 4.1L16 27.6l-5.2-2.8z" fill="#d99a3f" />
    </svg>
  );
}
