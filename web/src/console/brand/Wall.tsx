/** The sign-in picture: a house front at dusk with its oriel lit. */
const COURSES = Array.from({ length: 22 }, (_, row) => row);
const STONES = Array.from({ length: 10 }, (_, column) => column);

export function Wall() {
  return (
    <svg viewBox="0 0 600 800" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      <defs>
        <linearGradient id="dusk" x1="0" y1="0" x2="0.4" y2="1">
          <stop offset="0" stopColor="#131c37" />
          <stop offset="1" stopColor="#243869" />
        </linearGradient>
        <linearGradient id="lamp" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="#fff3d6" />
          <stop offset="1" stopColor="#ffc46b" />
        </linearGradient>
        <radialGradient id="glow">
          <stop offset="0" stopColor="#ffcf7d" stopOpacity=".38" />
          <stop offset="1" stopColor="#ffcf7d" stopOpacity="0" />
        </radialGradient>
      </defs>
      <rect width="600" height="800" fill="url(#dusk)" />
      <g stroke="#3a4f86" strokeOpacity=".5" fill="none">
        {COURSES.map((row) =>
          STONES.map((column) => (
            <rect
              key={`${row}-${column}`}
              x={column * 72 - (row % 2) * 36}
              y={row * 38}
              width="72"
              height="38"
            />
          )),
        )}
      </g>
      <circle cx="300" cy="390" r="330" fill="url(#glow)" />
      <path d="M150 250 222 168h156l72 82z" fill="#30457b" stroke="#ffcf7d" strokeWidth="3" />
      <g stroke="#1b274a" strokeWidth="7" strokeLinejoin="round">
        <path d="M160 256h76v274l-76-24z" fill="#ffd792" />
        <path d="M236 256h128v274H236z" fill="url(#lamp)" />
        <path d="M364 256h76v250l-76 24z" fill="#f5b95c" />
        <path d="M160 372h280M300 256v274M198 256v262M402 256v262" fill="none" strokeWidth="5" />
      </g>
      <path
        d="m150 512 86 28h128l86-28-26 56-60 44h-108l-60-44z"
        fill="#30457b"
        stroke="#1b274a"
        strokeWidth="4"
      />
      <path d="m246 612 54 66 54-66z" fill="#263a6c" stroke="#1b274a" strokeWidth="4" />
    </svg>
  );
}
