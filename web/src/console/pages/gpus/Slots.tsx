/** A card as the row of slots that it is divided into, each with its holder. */
import type { Schemas } from "../../../api/client";
import { count, GPU_MODES } from "../../words";

type Gpu = Schemas["Gpu"];

/** Runs of neighbouring slots with one holder, or with none. */
function runs(gpu: Gpu) {
  const found: Array<{ from: number; width: number; holder: Schemas["GpuHolder"] | null }> = [];
  for (let slot = 0; slot < gpu.slots; slot += 1) {
    const holder = gpu.holders.find((h) => h.slots.includes(slot)) ?? null;
    const last = found.at(-1);
    if (last && last.holder === holder) last.width += 1;
    else found.push({ from: slot, width: 1, holder });
  }
  return found;
}

const what = (holder: Schemas["GpuHolder"]) => holder.profile ?? GPU_MODES[holder.mode].text.toLowerCase();

export function Slots({ gpu }: { gpu: Gpu }) {
  if (gpu.slots === 0) return <Holders gpu={gpu} />;
  const taken = new Set(gpu.holders.flatMap((h) => h.slots)).size;
  return (
    <figure className="gpu-slots">
      <figcaption className="about">
        {taken} of {count(gpu.slots, "slot")} taken
      </figcaption>
      <ol
        style={{ gridTemplateColumns: `repeat(${gpu.slots}, minmax(0, 1fr))` }}
        aria-label={`Slots of ${gpu.address}`}
      >
        {runs(gpu).map(({ from, width, holder }) => (
          <li
            key={from}
            className={holder ? "gpu-slot-held" : "gpu-slot-free"}
            style={{ gridColumn: `span ${width}` }}
            title={holder ? `${holder.desktop.name}: ${what(holder)}` : `${count(width, "slot")} free`}
          >
            {holder ? (
              <>
                <strong>{holder.desktop.name}</strong> <span>{what(holder)}</span>
              </>
            ) : (
              <span className="pf-v6-screen-reader">{count(width, "slot")} free</span>
            )}
          </li>
        ))}
      </ol>
    </figure>
  );
}

/** What has no slots: a pool of memory, a card that several share, or one that the host keeps. */
function Holders({ gpu }: { gpu: Gpu }) {
  if (gpu.mode === "host") {
    return <p>The host keeps it: desktops get nothing of it until its mode is switched.</p>;
  }
  if (gpu.holders.length === 0) return <p>No desktop holds any of it.</p>;
  return (
    <ul aria-label={`Desktops that hold ${gpu.address}`}>
      {gpu.holders.map((holder) => (
        <li key={`${holder.desktop.id} ${holder.slots}`}>
          <strong>{holder.desktop.name}</strong> <span className="about">{what(holder)}</span>
        </li>
      ))}
    </ul>
  );
}
