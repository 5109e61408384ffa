/** A card as the row of slots that it is divided into, each with its holder. */
import type { Schemas } from "../../../api/client";
import { count, GPU_MODES } from "../../words";

type Gpu = Schemas["Gpu"];

/** Who has something of the card: a desktop of ours, or somebody else on the host. */
interface Taker {
  key: string;
  name: string;
  what: string;
  slots: number[];
  ours: boolean;
}

function takers(gpu: Gpu): Taker[] {
  const desktops = gpu.holders.map((holder) => ({
    key: `${holder.desktop.id} ${holder.slots}`,
    name: holder.desktop.name,
    what: holder.profile ?? GPU_MODES[holder.mode].text.toLowerCase(),
    slots: holder.slots,
    ours: true,
  }));
  const strangers = gpu.strangers.map((stranger) => ({
    key: stranger.name,
    name: "Somebody else",
    what: [stranger.profile, stranger.name].filter(Boolean).join(", "),
    slots: stranger.slots,
    ours: false,
  }));
  return [...desktops, ...strangers];
}

/** Runs of neighbouring slots with one taker, or with none. */
function runs(slots: number, all: Taker[]) {
  const found: Array<{ from: number; width: number; taker: Taker | null }> = [];
  for (let slot = 0; slot < slots; slot += 1) {
    const taker = all.find((one) => one.slots.includes(slot)) ?? null;
    const last = found.at(-1);
    if (last && last.taker === taker) last.width += 1;
    else found.push({ from: slot, width: 1, taker });
  }
  return found;
}

const look = (taker: Taker | null) =>
  taker ? (taker.ours ? "gpu-slot-held" : "gpu-slot-held gpu-slot-stranger") : "gpu-slot-free";

export function Slots({ gpu }: { gpu: Gpu }) {
  const all = takers(gpu);
  if (gpu.slots === 0) return <Takers gpu={gpu} all={all} />;
  const taken = new Set(all.flatMap((one) => one.slots)).size;
  const placeless = all.filter((one) => one.slots.length === 0);
  return (
    <figure className="gpu-slots">
      <figcaption className="about">
        {taken} of {count(gpu.slots, "slot")} taken
      </figcaption>
      <ol
        style={{ gridTemplateColumns: `repeat(${gpu.slots}, minmax(0, 1fr))` }}
        aria-label={`Slots of ${gpu.address}`}
      >
        {runs(gpu.slots, all).map(({ from, width, taker }) => (
          <li
            key={from}
            className={look(taker)}
            style={{ gridColumn: `span ${width}` }}
            title={taker ? `${taker.name}: ${taker.what}` : `${count(width, "slot")} free`}
          >
            {taker ? (
              <>
                <strong>{taker.name}</strong> <span>{taker.what}</span>
              </>
            ) : (
              <span className="pf-v6-screen-reader">{count(width, "slot")} free</span>
            )}
          </li>
        ))}
      </ol>
      {placeless.length > 0 && <List of={gpu.address} all={placeless} />}
    </figure>
  );
}

/** What has no slots: a pool of memory, a card that several share, or one that the host keeps. */
function Takers({ gpu, all }: { gpu: Gpu; all: Taker[] }) {
  if (gpu.mode === "host") {
    return <p>The host keeps it: desktops get nothing of it until its mode is switched.</p>;
  }
  if (all.length === 0) return <p>No desktop holds any of it.</p>;
  return <List of={gpu.address} all={all} />;
}

function List({ of, all }: { of: string; all: Taker[] }) {
  return (
    <ul aria-label={`Who holds ${of}`}>
      {all.map((taker) => (
        <li key={taker.key}>
          <strong>{taker.name}</strong> <span className="about">{taker.what}</span>
        </li>
      ))}
    </ul>
  );
}
