/** A week of bookings, of a pool or of all, a column for each day. */
import { Button, Flex, FlexItem } from "@patternfly/react-core";
import AngleLeftIcon from "@patternfly/react-icons/dist/esm/icons/angle-left-icon";
import AngleRightIcon from "@patternfly/react-icons/dist/esm/icons/angle-right-icon";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import { hoursWords } from "../../booking";
import { daysLater, mondayOf, weekOf, weekWords } from "../../calendar";
import { count } from "../../words";

const HOURS = [6, 12, 18] as const;
const per = (part: number) => `${Math.round(part * 10_000) / 100}%`;

interface Props {
  bookings: Schemas["Booking"][];
  /** Whether they are of several pools, which are named then. */
  isOfAll: boolean;
}

export function Week({ bookings, isOfAll }: Props) {
  const [monday, setMonday] = useState(() => mondayOf(new Date()));
  const today = new Date().toDateString();
  const days = weekOf(monday, bookings);
  return (
    <>
      <Flex alignItems={{ default: "alignItemsCenter" }} columnGap={{ default: "columnGapSm" }}>
        <Button
          variant="plain"
          aria-label="The week before"
          icon={<AngleLeftIcon />}
          onClick={() => setMonday(daysLater(monday, -7))}
        />
        <FlexItem aria-live="polite">
          <strong>{weekWords(monday)}</strong>
        </FlexItem>
        <Button
          variant="plain"
          aria-label="The week after"
          icon={<AngleRightIcon />}
          onClick={() => setMonday(daysLater(monday, 7))}
        />
        <Button variant="link" onClick={() => setMonday(mondayOf(new Date()))}>
          This week
        </Button>
      </Flex>
      <section
        className="week"
        aria-label="Bookings of the week"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
      >
        <div className="week-hours" aria-hidden="true">
          {HOURS.map((hour) => (
            <span key={hour} style={{ insetBlockStart: per(hour / 24) }}>
              {String(hour).padStart(2, "0")}
            </span>
          ))}
        </div>
        {days.map(({ at, blocks }) => (
          <section key={at.toISOString()} className="week-day">
            <h3 className={at.toDateString() === today ? "week-today" : undefined}>
              {at.toLocaleDateString(undefined, { weekday: "short", day: "numeric" })}
              <span className="pf-v6-screen-reader">, {count(blocks.length, "booking")}</span>
            </h3>
            <ul>
              {blocks.map(({ booking, top, height, lane, lanes }) => (
                <li
                  key={booking.id}
                  className="week-block"
                  title={`${isOfAll ? `${booking.pool.name}: ` : ""}${booking.person.name}, ${hoursWords(booking)}`}
                  style={{
                    insetBlockStart: per(top),
                    blockSize: per(height),
                    insetInlineStart: per(lane / lanes),
                    inlineSize: per(1 / lanes),
                  }}
                >
                  {isOfAll && <em>{booking.pool.name}</em>} <strong>{booking.person.name}</strong>{" "}
                  <span>{hoursWords(booking)}</span>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </section>
    </>
  );
}
