/** How much of a pool is booked, an hour a bar. */
import { useQuery } from "@tanstack/react-query";
import { hoursWords } from "../booking";
import { bookedHoursQuery } from "../queries";

/** As many as still can be read. */
const BARS_MAX = 48;

export function BookedBars({ pool, from, to }: { pool: string; from: Date; to: Date }) {
  const query = useQuery(bookedHoursQuery(pool, from.toISOString(), to.toISOString()));
  if (!query.data) return null;
  const { desktops, hours } = query.data;
  return (
    <ul className="booked" aria-label="Desktops that are free, hour by hour">
      {hours.slice(0, BARS_MAX).map((hour) => {
        const free = Math.max(0, desktops - hour.booked);
        return (
          <li key={hour.from}>
            <span>{hoursWords(hour)}</span>
            <meter min={0} max={Math.max(1, desktops)} value={hour.booked} aria-hidden="true" />
            <span>{free === 0 ? "booked out" : `${free} of ${desktops} free`}</span>
          </li>
        );
      })}
    </ul>
  );
}
